"""Caches: set, get, expire, delete, delete a group."""

import steps
from steps import PEER_URL, PORT, URL, check, count_on_two_nodes, eventually, eventually_async, library, step


def django_with(backend, **options):
    import django
    from django.conf import settings

    def cache(url):
        return {"BACKEND": backend, "LOCATION": url, **options}

    settings.configure(
        CACHES={"default": cache(URL), "peer": cache(PEER_URL)},
        SECRET_KEY="of no use",
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
    )
    django.setup()
    from django.core.cache import caches

    return caches["default"], caches["peer"]


def django_steps(cache, peer):
    with step("set, get, add, touch, expire, delete"):
        cache.set("color", "blue", 60)
        check(cache.get("color") == "blue", "get gives something else")
        check(not cache.add("color", "red"), "add overwrites")
        check(cache.touch("color", 1), "touch finds no key")
        eventually(lambda: cache.get("color") is None, "the key does not expire")
        cache.set("color", "green")
        check(cache.delete("color") and cache.get("color") is None, "delete deletes nothing")
    with step("many keys at once"):
        cache.set_many({"a": 1, "b": [2]})
        check(cache.get_many(["a", "b", "c"]) == {"a": 1, "b": [2]}, "get_many gives something else")
        cache.delete_many(["a", "b"])
        check(cache.get("a") is None, "delete_many deletes nothing")
    with step("incr"):
        cache.set("count", 0)
        check([cache.incr("count"), cache.incr("count", 5), cache.decr("count")] == [1, 6, 5], "it miscounts")


@library("Django RedisCache")
def django_own():
    cache, peer = django_with("django.core.cache.backends.redis.RedisCache")
    django_steps(cache, peer)
    with step("clear"):
        cache.set("a", 1)
        cache.clear()
        check(cache.get("a") is None, "clear clears nothing")


@library("django-redis")
def django_redis():
    cache, peer = django_with("django_redis.cache.RedisCache")
    django_steps(cache, peer)
    with step("delete_pattern, keys, ttl"):
        cache.set_many({f"page:{number}": number for number in range(30)}, timeout=50)
        check(len(cache.keys("page:*")) == 30, "keys misses some")
        check(0 < cache.ttl("page:1") <= 50, "ttl gives something else")
        cache.delete_pattern("page:*")
        check(cache.keys("page:*") == [], "delete_pattern leaves some")
    with step("lock"):
        lock = cache.lock("door", timeout=10)
        check(lock.acquire(blocking=False), "the lock is not to be had")
        check(not cache.lock("door", timeout=10).acquire(blocking=False), "a second one gets the lock")
        lock.release()
        check(cache.lock("door", timeout=10).acquire(blocking=False), "the lock is not released")
    with step("incr at two nodes at once"):
        cache.set("hits", 0, timeout=None)
        eventually(lambda: peer.get("hits") == 0, "the key does not reach the other node")
        count_on_two_nodes(lambda: cache.incr("hits"), lambda: peer.incr("hits"), lambda: cache.get("hits"))


@library("django-cacheops")
def cacheops():
    import django
    from django.conf import settings

    settings.configure(
        CACHEOPS_REDIS={"host": "127.0.0.1", "port": PORT},
        CACHEOPS={"cacheops.*": {"ops": "all", "timeout": 60}},
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["cacheops"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()
    from cacheops import cached
    from django.db import connection, models

    class Color(models.Model):
        name = models.TextField()

        class Meta:
            app_label = "cacheops"

    with connection.schema_editor() as editor:
        editor.create_model(Color)
    with step("a function's result"):
        calls = []

        @cached(timeout=60)
        def square(number):
            calls.append(number)
            return number * number

        check([square(3), square(3)] == [9, 9] and calls == [3], "the function is called twice")
    with step("a query's result, and its invalidation"):
        Color.objects.create(name="blue")
        check(Color.objects.filter(name="blue").count() == 1, "the query finds something else")
        Color.objects.create(name="blue")
        check(Color.objects.filter(name="blue").count() == 2, "an old result")


@library("Flask-Caching")
def flask_caching():
    from flask import Flask
    from flask_caching import Cache

    app = Flask("app")
    cache = Cache(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": URL})
    with app.app_context():
        with step("set, get, add, expire, delete"):
            cache.set("color", "blue")
            check(cache.get("color") == "blue", "get gives something else")
            check(not cache.add("color", "red"), "add overwrites")
            cache.set("color", "green", timeout=1)
            eventually(lambda: cache.get("color") is None, "the key does not expire")
            cache.set("color", "blue")
            cache.delete("color")
            check(not cache.has("color"), "delete deletes nothing")
        with step("memoize, delete_memoized, clear"):
            calls = []

            @cache.memoize(60)
            def square(number):
                calls.append(number)
                return number * number

            check([square(3), square(3)] == [9, 9] and calls == [3], "the function is called twice")
            cache.delete_memoized(square)
            check(square(3) == 9 and calls == [3, 3], "the old result stays")
            cache.set("color", "blue")
            cache.clear()
            check(cache.get("color") is None, "clear clears nothing")
        with step("many keys at once, counting"):
            cache.set_many({"a": 1, "b": 2})
            check(cache.get_many("a", "b") == [1, 2], "get_many gives something else")
            cache.cache.inc("count")
            check(cache.cache.inc("count", 2) == 3, "it miscounts")


@library("cachelib")
def cachelib():
    from cachelib import RedisCache

    cache = RedisCache("127.0.0.1", PORT, key_prefix="app:")
    with step("set, get, add, expire, delete, many, clear"):
        check(cache.set("color", {"name": "blue"}) and cache.get("color") == {"name": "blue"}, "get gives something else")
        check(not cache.add("color", 1), "add overwrites")
        cache.set("color", 1, timeout=1)
        eventually(lambda: cache.get("color") is None, "the key does not expire")
        cache.set_many({"a": 1, "b": 2})
        check(cache.get_many("a", "b") == [1, 2], "get_many gives something else")
        cache.delete_many("a")
        check(not cache.has("a"), "delete_many deletes nothing")
        cache.clear()
        check(not cache.has("b"), "clear clears nothing")
    with step("inc, dec"):
        check([cache.inc("count", 3), cache.dec("count")] == [3, 2], "it miscounts")


@library("aiocache")
async def aiocache():
    from aiocache import RedisCache
    from aiocache.lock import RedLock

    cache = RedisCache(endpoint="127.0.0.1", port=PORT, namespace="app")
    with step("set, get, add, expire, increment, many, clear"):
        await cache.set("color", "blue")
        check(await cache.get("color") == "blue", "get gives something else")
        try:
            await cache.add("color", "red")
            check(False, "add overwrites")
        except ValueError:
            pass
        await cache.expire("color", 1)
        await eventually_async(lambda: is_none(cache.get("color")), "the key does not expire")
        check(await cache.increment("count", 5) == 5, "it miscounts")
        await cache.multi_set([("a", "1"), ("b", "2")])
        check(await cache.multi_get(["a", "b"]) == ["1", "2"], "multi_get gives something else")
        await cache.clear(namespace="app")
        check(not await cache.exists("a"), "clear clears nothing")
    with step("RedLock: taken, released"):
        async with RedLock(cache, "door", lease=20):
            pass
        check(not await cache.exists("door-lock"), "the lock is not released, and waiters wait until it expires")


async def is_none(found):
    return await found is None


@library("dogpile.cache")
def dogpile():
    from dogpile.cache import make_region

    with step("get_or_create, invalidate, delete, many"):
        region = make_region().configure(
            "dogpile.cache.redis", expiration_time=60, arguments={"host": "127.0.0.1", "port": PORT}
        )
        made = []
        for _ in range(2):
            check(region.get_or_create("color", lambda: made.append(1) or "blue") == "blue", "it gives something else")
        check(len(made) == 1, "the value is made twice")
        region.set_multi({"a": 1, "b": 2})
        check(region.get_multi(["a", "b"]) == [1, 2], "get_multi gives something else")
        region.delete("color")
        check(not region.get("color"), "delete deletes nothing")
    with step("get_or_create with distributed_lock"):
        region = make_region().configure(
            "dogpile.cache.redis",
            arguments={"host": "127.0.0.1", "port": PORT, "distributed_lock": True, "lock_timeout": 20},
        )
        check(region.get_or_create("shape", lambda: "round") == "round", "it gives something else")
        check(region.get_or_create("shape", lambda: "square") == "round", "the value is made twice")


@library("cashews")
async def cashews():
    from cashews import cache
    from cashews.exceptions import RateLimitError

    cache.setup(URL, suppress=False)
    with step("set, get, expire, delete"):
        await cache.set("color", "blue", expire=1)
        check(await cache.get("color") == "blue", "get gives something else")
        await eventually_async(lambda: is_none(cache.get("color")), "the key does not expire")
        await cache.set("color", "blue")
        await cache.delete("color")
        check(await cache.get("color") is None, "delete deletes nothing")
    with step("a function's result"):
        calls = []

        @cache(ttl="1m", key="square:{number}")
        async def square(number):
            calls.append(number)
            return number * number

        check([await square(3), await square(3)] == [9, 9] and calls == [3], "the function is called twice")
    with step("delete_match"):
        await cache.set("page:1", 1)
        await cache.delete_match("page:*")
        check(await cache.get("page:1") is None, "delete_match deletes nothing")
    with step("incr with an expiry"):
        check(await cache.incr("count", expire=10) == 1, "it miscounts")
    with step("lock"):
        async with cache.lock("door", expire=20):
            check(await cache.is_locked("door"), "the lock is not taken")
        check(not await cache.is_locked("door"), "the lock is not released")
    with step("rate_limit"):

        @cache.rate_limit(limit=2, period=20)
        async def knock():
            return 1

        await knock()
        await knock()
        try:
            await knock()
            check(False, "a third call within the limit of two")
        except RateLimitError:
            pass


@library("fastapi-cache2")
async def fastapi_cache():
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.redis import RedisBackend
    from fastapi_cache.decorator import cache
    from redis import asyncio as redis

    FastAPICache.init(RedisBackend(redis.from_url(URL)), prefix="app")
    with step("a function's result"):
        calls = []

        @cache(expire=60, namespace="squares")
        async def square(number):
            calls.append(number)
            return number * number

        check([await square(3), await square(3)] == [9, 9] and calls == [3], "the function is called twice")
    with step("clear of a namespace"):
        await FastAPICache.clear(namespace="squares")
        check(await square(3) == 9 and calls == [3, 3], "the old result stays")


@library("requests-cache")
def requests_cache():
    import http.server
    import threading

    from redis import Redis
    from requests_cache import CachedSession, RedisCache

    asked = []

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with step("a page that is asked for twice"):
        session = CachedSession("pages", backend=RedisCache("pages", connection=Redis(port=PORT)))
        for _ in range(2):
            session.get(f"http://127.0.0.1:{server.server_port}/")
        check(asked == ["/"], "the page is fetched twice")


@library("Beaker")
def beaker():
    from beaker.cache import CacheManager

    with step("a function's result, remove"):
        region = CacheManager().get_cache("colors", type="ext:redis", url=URL, lock_dir="/tmp", expire=60)
        made = []
        for _ in range(2):
            check(region.get("color", createfunc=lambda: made.append(1) or "blue") == "blue", "it gives something else")
        check(len(made) == 1, "the value is made twice")
        region.remove_value("color")
        check(not region.has_key("color"), "remove_value removes nothing")


if __name__ == "__main__":
    steps.main()
