"""Limiters: two may pass, the third may not."""

import steps
from steps import PORT, URL, check, library, step


def two_of_three(hit):
    passed = [bool(hit()) for _ in range(3)]
    check(passed[:2] == [True, True], "one within the limit is refused")
    check(not passed[2], "the third passes, and the limit is two")


@library("limits")
def limits():
    from limits import parse
    from limits.storage import storage_from_string
    from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

    for name, strategy in [
        ("fixed window", FixedWindowRateLimiter),
        ("moving window", MovingWindowRateLimiter),
        ("sliding window counter", SlidingWindowCounterRateLimiter),
    ]:
        with step(name):
            limiter = strategy(storage_from_string(URL))
            two_of_three(lambda: limiter.hit(parse("2/hour"), name))


@library("Flask-Limiter")
def flask_limiter():
    from flask import Flask
    from flask_limiter import Limiter

    app = Flask("app")
    limiter = Limiter(lambda: "all", app=app, storage_uri=URL, default_limits=["2/hour"])
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.get("/")(lambda: "welcome")
    with step("a page, twice an hour"):
        two_of_three(lambda: app.test_client().get("/").status_code == 200)


@library("slowapi")
def slowapi():
    from fastapi import FastAPI, Request
    from fastapi.testclient import TestClient
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded

    limiter = Limiter(key_func=lambda: "all", storage_uri=URL)
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)

    @app.get("/")
    @limiter.limit("2/hour")
    def page(request: Request):
        return "welcome"

    with step("a page, twice an hour"):
        two_of_three(lambda: TestClient(app).get("/").status_code == 200)


@library("django-ratelimit")
def django_ratelimit():
    from caches import django_with

    django_with("django.core.cache.backends.redis.RedisCache")
    from django.test import RequestFactory
    from django_ratelimit.core import is_ratelimited

    request = RequestFactory().get("/")
    with step("a page, twice an hour"):
        two_of_three(lambda: not is_ratelimited(request, group="page", key="ip", rate="2/h", increment=True))


@library("pyrate-limiter")
def pyrate_limiter():
    from pyrate_limiter import Duration, Limiter, Rate, RedisBucket
    from redis import Redis

    with step("two an hour"):
        bucket = RedisBucket.init([Rate(2, Duration.HOUR)], Redis(port=PORT), "door")
        limiter = Limiter(bucket)
        two_of_three(lambda: limiter.try_acquire("all", blocking=False))


@library("throttled-py")
def throttled():
    from throttled import RateLimiterType, Throttled, rate_limiter, store

    for kind in RateLimiterType:
        with step(kind.value.replace("_", " ")):
            limiter = Throttled(
                key=kind.value,
                using=kind.value,
                quota=rate_limiter.per_hour(2, burst=2),
                store=store.RedisStore(server=URL),
            )
            two_of_three(lambda: not limiter.limit().limited)


if __name__ == "__main__":
    steps.main()
