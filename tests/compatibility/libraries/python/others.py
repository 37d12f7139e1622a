"""Clients, messages and models."""

import asyncio

import steps
from steps import PORT, URL, check, eventually_async, library, step


@library("redis-py")
def redis_py():
    from redis import Redis

    client = Redis(port=PORT, decode_responses=True)
    with step("set, get, expire, scan, pipeline, transaction with WATCH"):
        client.set("color", "blue", ex=60)
        check(client.get("color") == "blue" and 0 < client.ttl("color") <= 60, "get gives something else")
        client.mset({f"page:{number}": number for number in range(30)})
        check(len(list(client.scan_iter("page:*"))) == 30, "scan_iter misses some")
        with client.pipeline() as pipe:
            pipe.watch("color")
            pipe.multi()
            pipe.set("color", "red").incr("count")
            check(pipe.execute() == [True, 1], "the transaction answers something else")
    with step("publish, subscribe"):
        listener = client.pubsub(ignore_subscribe_messages=True)
        listener.subscribe("news")
        listener.get_message(timeout=1)
        client.publish("news", "hello")
        heard = [message for message in (listener.get_message(timeout=1) for _ in range(3)) if message]
        check([message["data"] for message in heard] == ["hello"], "the message is not heard")
    with step("hashes, lists, sets, sorted sets, streams"):
        client.hset("h", "f", "v")
        client.rpush("l", "v")
        client.sadd("s", "v")
        client.zadd("z", {"v": 1})
        client.xadd("x", {"f": "v"})
    with step("scripts"):
        check(client.register_script("return ARGV[1]")(args=["v"]) == "v", "the script answers something else")
    with step("another database"):
        Redis(port=PORT, db=1).set("color", "green")
        check(client.get("color") == "red", "databases share keys")


@library("walrus")
def walrus():
    from walrus import Walrus

    db = Walrus(port=PORT)
    with step("cache"):
        cache = db.cache()
        cache.set("color", "blue", 60)
        check(cache.get("color") == "blue", "get gives something else")
        cache.flush()
        check(cache.get("color") is None, "flush flushes nothing")
    with step("lock"):
        with db.lock("door", ttl=20_000):
            pass
        check(db.lock("door", ttl=20_000).acquire(block=False), "the lock is not released")
    with step("rate_limit"):
        limit = db.rate_limit("door", limit=2, per=600)
        check([limit.limit("me") for _ in range(3)] == [False, False, True], "the limit does not hold")
    with step("containers"):
        check(db.Hash("user").update(name="Ada") is not None, "nothing is stored")


@library("redis-om")
def redis_om():
    import os

    os.environ["REDIS_OM_URL"] = URL
    from redis_om import HashModel, get_redis_connection

    class User(HashModel, index=True):
        name: str

        class Meta:
            database = get_redis_connection(url=URL, decode_responses=True)

    with step("save a HashModel, load it"):
        user = User(name="Ada")
        user.save()
        check(User.get(user.pk).name == "Ada", "the model is not loaded")


@library("channels-redis, pub/sub layer")
async def channels_pubsub():
    from channels_redis.pubsub import RedisPubSubChannelLayer

    layer = RedisPubSubChannelLayer(hosts=[URL])
    with step("send to a channel, to a group"):
        name = await layer.new_channel()
        await layer.group_add("room", name)
        await layer.send(name, {"type": "one"})
        check((await asyncio.wait_for(layer.receive(name), 6))["type"] == "one", "the message is not heard")
        await layer.group_send("room", {"type": "two"})
        check((await asyncio.wait_for(layer.receive(name), 6))["type"] == "two", "the message is not heard")


@library("channels-redis, core layer")
async def channels_core():
    from channels_redis.core import RedisChannelLayer

    layer = RedisChannelLayer(hosts=[URL])
    with step("send to a channel, to a group"):
        name = await layer.new_channel()
        await layer.send(name, {"type": "one"})
        check((await asyncio.wait_for(layer.receive(name), 6))["type"] == "one", "the message is not heard")


@library("python-socketio")
async def socketio():
    import socketio

    with step("an event of another process reaches the manager"):
        manager = socketio.AsyncRedisManager(URL)
        server = socketio.AsyncServer(client_manager=manager, async_mode="asgi")
        manager.set_server(server)
        heard = []

        async def hear(*, room=None, event=None, **message):
            heard.append(message.get("method"))

        original = manager._handle_emit

        async def handle(message):
            heard.append(message["event"])

        manager._handle_emit = handle
        manager.initialize()
        listener = socketio.AsyncRedisManager(URL, write_only=True)

        async def sent():
            await listener.emit("hello", {"n": 1})
            await asyncio.sleep(0.1)
            return "hello" in heard

        await eventually_async(sent, "the event is not heard")


if __name__ == "__main__":
    steps.main()
