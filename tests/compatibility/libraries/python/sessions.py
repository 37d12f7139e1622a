"""Sessions: save, load, change, end."""

import steps
from steps import PORT, URL, check, eventually_async, library, step


@library("Django sessions")
def django_sessions():
    from caches import django_with

    django_with("django_redis.cache.RedisCache")
    from django.contrib.sessions.backends.cache import SessionStore

    with step("save, load, change, flush"):
        session = SessionStore()
        session["user"] = 7
        session.save()
        again = SessionStore(session.session_key)
        check(again["user"] == 7, "the session is not loaded")
        again["user"] = 8
        again.save()
        check(SessionStore(session.session_key)["user"] == 8, "the change is not saved")
        again.cycle_key()
        check(not SessionStore().exists(session.session_key), "the old key stays")
        again.flush()
        check(not SessionStore().exists(again.session_key or "none"), "the session stays")


@library("Flask-Session")
def flask_session():
    from flask import Flask, session
    from flask_session import Session
    from redis import Redis

    app = Flask("app")
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis(port=PORT))
    Session(app)

    @app.get("/count")
    def count():
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    @app.get("/leave")
    def leave():
        session.clear()
        return "left"

    with step("save, load, change, end"):
        browser, other = app.test_client(), app.test_client()
        check([browser.get("/count").text, browser.get("/count").text] == ["1", "2"], "the session is not kept")
        check(other.get("/count").text == "1", "two browsers share a session")
        browser.get("/leave")
        check(browser.get("/count").text == "1", "the session does not end")


@library("starsessions")
async def starsessions():
    from starsessions.stores.redis import RedisStore

    with step("save, load, expire, end"):
        store = RedisStore(URL)
        await store.write("s", b"blue", lifetime=1, ttl=1)
        check(await store.read("s", lifetime=1) == b"blue", "the session is not loaded")

        async def is_gone():
            return not await store.read("s", lifetime=1)

        await eventually_async(is_gone, "the session does not expire")
        await store.write("s", b"green", lifetime=60, ttl=60)
        await store.remove("s")
        check(not await store.read("s", lifetime=60), "the session stays")


@library("aiohttp-session")
async def aiohttp_session():
    from aiohttp import ClientSession, CookieJar, web
    from aiohttp_session import get_session, setup
    from aiohttp_session.redis_storage import RedisStorage
    from redis import asyncio as redis

    async def count(request):
        session = await get_session(request)
        session["count"] = session.get("count", 0) + 1
        return web.Response(text=str(session["count"]))

    with step("save, load, change"):
        app = web.Application()
        setup(app, RedisStorage(redis.from_url(URL), max_age=60))
        app.router.add_get("/", count)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = "http://127.0.0.1:%d/" % site._server.sockets[0].getsockname()[1]
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
            counts = [await (await browser.get(url)).text() for _ in range(2)]
        check(counts == ["1", "2"], "the session is not kept")


if __name__ == "__main__":
    steps.main()
