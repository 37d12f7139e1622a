"""redis-py, as applications use it: writes at one node, reads at the other. Arguments: their addresses."""

import os
import sys
import time

import redis

protocol = int(os.environ["PROTOCOL"])


def client(address, **options):
    host, port = address.split(":")
    return redis.Redis(host=host, port=int(port), protocol=protocol, socket_timeout=60, **options)


a, b = (client(address, decode_responses=True) for address in sys.argv[1:])
# Without that option an application reads bytes; both are in use.
raw_a, raw_b = map(client, sys.argv[1:])


def equal(answer, expected):
    assert answer == expected, f"{answer!r}, expected {expected!r}"


def soon(ask, expected):
    """What one node was told, the other says soon."""
    for _ in range(6000):
        answer = ask()
        if answer == expected:
            return
        time.sleep(0.01)
    raise AssertionError(f"{answer!r}, expected {expected!r}")


def refused(ask, *words):
    try:
        answer = ask()
    except redis.ResponseError as error:
        for word in words:
            assert word in str(error), f"{error}, expected {word}"
    else:
        raise AssertionError(f"{answer!r}, expected an error")


def connections():
    equal(a.ping(), True)
    equal(a.echo("hello"), "hello")
    equal(a.client_setname("tester"), True)
    equal(a.client_getname(), "tester")
    equal(a.client_info()["name"], "tester")
    equal([client["resp"] for client in a.client_list() if client["name"] == "tester"], [str(protocol)])
    assert a.client_id() > 0
    equal(a.info("server")["redis_mode"], "standalone")
    assert len(a.time()) == 2
    assert a.command_count() > 80
    assert "get" in a.command()
    equal(a.command_getkeys("MSET", "x", 1, "y", 2), ["x", "y"])
    assert "maxmemory" in a.config_get("max*")
    refused(lambda: a.execute_command("NOSUCH", "x"), "unknown command", "NOSUCH")
    refused(lambda: a.execute_command("GET"), "wrong number of arguments")
    with a.client() as one:
        refused(lambda: one.execute_command("SELECT", 16), "out of range")
        refused(lambda: one.get("x"), "SELECT 16 was refused")
        one.execute_command("SELECT", 0)
        one.get("x")
    with a.client() as one:
        one.client_setname("one")
        equal(one.client_getname(), "one")
        equal(one.reset(), "RESET")
        # It speaks RESP2 from here on, of which redis-py knows nothing.
        one.connection.disconnect()


def databases():
    """A URL names the database, as most libraries' examples do."""
    url_a, url_b = (f"redis://{address}/1?protocol={protocol}" for address in sys.argv[1:])
    one_a, one_b = (redis.from_url(url, decode_responses=True, socket_timeout=60) for url in (url_a, url_b))
    equal([a.set("where", "zero"), one_a.set("where", "one")], [True, True])
    soon(lambda: (b.get("where"), one_b.get("where")), ("zero", "one"))
    equal(int(one_a.client_info()["db"]), 1)
    equal((one_a.dbsize(), one_a.keys("*"), list(one_a.scan_iter())), (1, ["where"], ["where"]))
    with one_a.pipeline() as pipe:
        pipe.watch("where")
        pipe.multi()
        equal(pipe.set("two", "2").get("where").execute(), [True, "one"])
    soon(lambda: one_b.get("two"), "2")
    equal(a.info("keyspace")["db1"]["keys"], 2)
    equal([one_a.move("two", 0), a.get("two")], [True, "2"])
    soon(lambda: (b.get("two"), one_b.get("two")), ("2", None))
    equal(one_b.flushdb(), True)
    soon(lambda: (one_a.get("where"), a.get("where")), (None, "zero"))
    refused(lambda: a.swapdb(0, 1), "not supported")
    equal(a.delete("two", "where"), 2)


def strings():
    equal(a.set("color", "blue"), True)
    equal(a.set("color", "red", nx=True), None)
    equal(a.set("color", "green", xx=True, get=True), "blue")
    soon(lambda: b.get("color"), "green")
    equal(b.get("nothing"), None)
    equal(a.mset({"x": 1, "y": "two words", "z": "ünï"}), True)
    soon(lambda: b.mget("x", "nothing", "y", "z"), ["1", None, "two words", "ünï"])
    equal(a.msetnx({"x": 5, "new": 5}), False)
    equal([a.incr("n"), a.incrby("n", 41), a.decr("n"), a.decrby("n", 20)], [1, 42, 41, 21])
    equal(a.incrbyfloat("n", 0.5), 21.5)
    soon(lambda: b.get("n"), "21.5")
    refused(lambda: a.incr("color"), "not an integer")
    equal([a.append("t", "Hello "), a.append("t", "World"), a.strlen("t")], [6, 11, 11])
    equal([a.getrange("t", 0, 4), a.setrange("t", 6, "Redis"), a.get("t")], ["Hello", 11, "Hello Redis"])
    equal([a.getset("t", "new"), a.getdel("t"), a.get("t")], ["Hello Redis", "new", None])
    every_byte = bytes(range(256)) * 300
    equal(raw_a.set(b"\x00\r\n\xff", every_byte), True)
    soon(lambda: raw_b.get(b"\x00\r\n\xff"), every_byte)
    equal(a.delete("color", "nothing", "x"), 2)
    soon(lambda: b.exists("color", "x", "y"), 1)
    equal([a.rename("y", "y2"), a.renamenx("y2", "z"), a.copy("z", "z2"), a.type("z2")], [True, False, True, "string"])
    refused(lambda: a.rename("nothing", "y"), "no such key")
    soon(lambda: b.get("z2"), "ünï")


def compare_and_set():
    # redis-py 5 does not know of it.
    if not hasattr(a, "delex"):
        return
    equal(a.set("lock", "mine", nx=True, px=100_000), True)
    equal(a.set("lock", "other", nx=True), None)
    soon(lambda: b.get("lock"), "mine")
    equal(a.set("lock", "other", ifeq="other", ex=100), None)
    equal(a.set("lock", "mine", ifeq="mine", ex=1000), True)
    soon(lambda: 900 < b.ttl("lock") <= 1000, True)
    equal(a.set("lock", "mine too", ifne="mine", get=True), "mine")
    equal(a.set("lock", "Hello world", ifne="other", get=True), "mine")
    equal([a.digest("lock"), a.digest("nothing")], ["b6acb9d84a38ff74", None])
    equal([raw_a.digest("lock"), a.digest_local("Hello world")], [b"b6acb9d84a38ff74", "b6acb9d84a38ff74"])
    equal(a.set("lock", "next", ifdne=a.digest_local("Hello world")), None)
    equal(a.set("lock", "next", ifdeq=a.digest_local("Hello world").upper()), True)
    soon(lambda: b.get("lock"), "next")
    equal([a.delex("lock", ifeq="other"), a.delex("lock", ifdne=a.digest("lock"))], [0, 0])
    refused(lambda: a.delex("lock", ifdeq="1"), "must be exactly 16 hexadecimal characters")
    equal([a.delex("lock", ifeq="next"), a.delex("lock")], [1, 0])
    soon(lambda: b.exists("lock"), 0)
    equal([a.set("lock", "mine"), a.execute_command("DELIFEQ", "lock", "mine")], [True, 1])

    options = redis.commands.core.DataPersistOptions
    equal(a.msetex({"m:1": 1, "m:2": "two"}, data_persist_option=options.NX, ex=1000), 1)
    equal(a.msetex({"m:2": 2, "m:3": 3}, data_persist_option=options.NX, ex=1000), 0)
    soon(lambda: b.mget("m:1", "m:2", "m:3"), ["1", "two", None])
    equal(a.msetex({"m:1": 10, "m:2": 20}, data_persist_option=options.XX, keepttl=True), 1)
    soon(lambda: [b.get("m:1"), 900 < b.ttl("m:2") <= 1000], ["10", True])
    equal(a.command_getkeys("MSETEX", 2, "x", 1, "y", 2, "EX", 10), ["x", "y"])

    equal([a.increx("calls", ubound=2, ex=1000, enx=True) for _ in range(3)], [[1, 1], [2, 1], [2, 0]])
    soon(lambda: [b.get("calls"), 900 < b.ttl("calls") <= 1000], ["2", True])
    equal(a.increx("calls", byint=-5, lbound=0, saturate=True, persist=True), [0, -2])
    soon(lambda: [b.get("calls"), b.ttl("calls")], ["0", -1])
    equal([float(number) for number in a.increx("calls", byfloat=1.5)], [1.5, 1.5])
    soon(lambda: b.get("calls"), "1.5")
    refused(lambda: a.increx("calls"), "not an integer")


def expiry():
    equal(a.set("short", "x", px=1), True)
    soon(lambda: a.get("short"), None)
    soon(lambda: b.get("short"), None)
    equal(a.set("hour", "x", ex=3600), True)
    soon(lambda: 3500 < b.ttl("hour") <= 3600, True)
    equal(a.expire("hour", 7200, gt=True), True)
    soon(lambda: 7100_000 < b.pttl("hour") <= 7200_000, True)
    equal(a.expireat("hour", 4102444800), True)
    equal([a.expiretime("hour"), a.pexpiretime("hour")], [4102444800, 4102444800_000])
    soon(lambda: b.expiretime("hour"), 4102444800)
    equal([a.persist("hour"), a.ttl("hour"), a.ttl("nothing")], [True, -1, -2])
    soon(lambda: b.ttl("hour"), -1)
    equal(a.getex("hour", ex=10), "x")
    equal(a.expire("hour", -1), True)
    soon(lambda: b.exists("hour"), 0)


def bits():
    equal([a.setbit("bits", 7, 1), a.getbit("bits", 7), a.bitcount("bits")], [0, 1, 1])
    equal([a.bitpos("bits", 1), a.bitpos("bits", 0, 0, -1)], [7, 0])
    field = a.bitfield("field", default_overflow="SAT")
    equal(field.set("u8", "#0", 250).incrby("u8", "#0", 10).get("u8", 0).execute(), [0, 255, 255])
    equal(a.bitfield("field").incrby("i5", 100, 1, "FAIL").get("u4", 0).execute(), [1, 15])
    equal(a.bitfield_ro("field", "u8", 0), [255])
    equal(a.bitop("XOR", "xor", "field", "bits"), 14)
    soon(lambda: b.bitcount("xor"), 8)
    soon(lambda: b.bitfield("field").get("u8", 0).execute(), [255])


def common_subsequence():
    a.mset({"one": "ohmytext", "two": "mynewtext"})
    equal([a.lcs("one", "two"), a.lcs("one", "two", len=True)], ["mytext", 6])
    whole = a.lcs("one", "two", idx=True, withmatchlen=True, minmatchlen=4)
    if isinstance(whole, list):
        whole = dict(zip(whole[::2], whole[1::2]))
    equal(whole, {"matches": [[[4, 7], [5, 8], 4]], "len": 6})
    soon(lambda: b.lcs("one", "two"), "mytext")


def pipelines():
    with a.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.set(f"pipe:{number}", number)
        equal(pipe.execute(), [True] * 1000)
    with b.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.get(f"pipe:{number}")
        commands = list(pipe.command_stack)

        def again():
            pipe.command_stack = list(commands)
            return pipe.execute()

        soon(again, [str(number) for number in range(1000)])
    with a.pipeline(transaction=False) as pipe:
        answers = pipe.set("s", "text").incr("s").get("s").execute(raise_on_error=False)
    equal(isinstance(answers[1], redis.ResponseError), True)
    equal([answers[0], answers[2]], [True, "text"])


def transactions():
    with a.pipeline() as pipe:
        equal(pipe.set("m", 1).incr("m").get("m").execute(), [True, 2, "2"])
    soon(lambda: b.get("m"), "2")
    with a.pipeline() as pipe:
        pipe.watch("m")
        equal(pipe.get("m"), "2")
        a.set("m", 10)
        pipe.multi()
        pipe.set("m", 3)
        try:
            pipe.execute()
        except redis.WatchError:
            pass
        else:
            raise AssertionError("somebody else wrote the watched key")
    equal(a.get("m"), "10")

    def double(pipe):
        value = int(pipe.get("m"))
        pipe.multi()
        pipe.set("m", value * 2)

    equal(a.transaction(double, "m"), [True])
    soon(lambda: b.get("m"), "20")
    # What the other node is told counts as a write too.
    with a.pipeline() as pipe:
        pipe.watch("m")
        b.set("m", 21)
        soon(lambda: a.get("m"), "21")
        pipe.multi()
        pipe.set("m", 22)
        try:
            pipe.execute()
        except redis.WatchError:
            pass
        else:
            raise AssertionError("the peer wrote the watched key")
    with a.pipeline() as pipe:
        pipe.set("m", 1).execute_command("NOSUCH")
        refused(pipe.execute, "unknown command")
    equal(a.get("m"), "21")


def listen(pubsub, kind):
    """The next message of a kind."""
    for _ in range(600):
        message = pubsub.get_message(timeout=0.1)
        if message and message["type"] == kind:
            return message
    raise AssertionError(f"no {kind} came")


def publishing():
    with a.pubsub() as pubsub:
        pubsub.subscribe("news")
        equal(listen(pubsub, "subscribe")["data"], 1)
        pubsub.psubscribe("we*")
        equal(listen(pubsub, "psubscribe")["data"], 2)
        equal(a.publish("news", "first"), 1)
        equal(a.publish("weather", "rain"), 1)
        equal(a.publish("nobody", "hears"), 0)
        message = listen(pubsub, "message")
        equal([message[name] for name in ("channel", "data")], ["news", "first"])
        message = listen(pubsub, "pmessage")
        equal([message[name] for name in ("pattern", "channel", "data")], ["we*", "weather", "rain"])
        # In RESP3 redis-py takes the answer for a message, Redis' too.
        if protocol == 2:
            pubsub.ping("alive")
            equal(listen(pubsub, "pong")["data"], "alive")
        equal([a.pubsub_channels(), a.pubsub_numpat(), a.pubsub_numsub("news")], [["news"], 1, [("news", 1)]])
        pubsub.unsubscribe()
        equal(listen(pubsub, "unsubscribe")["data"], 1)
        pubsub.punsubscribe()
        equal(listen(pubsub, "punsubscribe")["data"], 0)


def across_nodes():
    with b.pubsub() as pubsub:
        pubsub.subscribe("news")
        equal(listen(pubsub, "subscribe")["data"], 1)
        pubsub.psubscribe("__keyspace@0__:across:*")
        equal(listen(pubsub, "psubscribe")["data"], 2)
        equal(a.publish("news", "from afar"), 0)
        equal(listen(pubsub, "message")["data"], "from afar")
        b.config_set("notify-keyspace-events", "KA")
        a.set("across:1", "x", px=100_000)
        a.delete("across:1")
        # What is overwritten before it is sent is not told of.
        events = [listen(pubsub, "pmessage")["data"]]
        while events[-1] != "del":
            events.append(listen(pubsub, "pmessage")["data"])
        assert events in (["set", "del"], ["del"]), events
        b.config_set("notify-keyspace-events", "")


def scans():
    names = {f"scan:{number}" for number in range(500)}
    a.mset({name: "x" for name in names})
    soon(lambda: set(b.scan_iter("scan:*", count=37)), names)
    soon(lambda: set(b.keys("scan:*")), names)
    equal(set(a.scan_iter("scan:1?", _type="string")), {f"scan:1{digit}" for digit in range(10)})
    equal(list(a.scan_iter("scan:*", _type="list")), [])
    assert a.randomkey() is not None
    before = a.dbsize()
    equal(a.unlink(*names), 500)
    equal(a.dbsize(), before - 500)
    soon(lambda: b.dbsize(), before - 500)


def scripts():
    # However busy the machine is.
    equal([node.config_set("script-time-ms", 1000) for node in (a, b)], [True, True])
    lock = a.lock("resource", timeout=100)
    equal([lock.acquire(blocking=False), a.lock("resource", timeout=100).acquire(blocking=False)], [True, False])
    equal([lock.extend(100), lock.reacquire(), lock.owned()], [True, True, True])
    soon(lambda: b.get("resource"), raw_a.get("resource").decode())
    lock.release()
    soon(lambda: b.exists("resource"), 0)
    transfer = a.register_script("""
        local sum = tonumber(redis.call('GET', KEYS[1]) or '0') - ARGV[1]
        redis.call('SET', KEYS[1], sum)
        return {sum, redis.call('INCRBY', KEYS[2], ARGV[1]), cjson.encode({at = KEYS[2]})}
    """)
    equal([transfer(keys=["from", "to"], args=[5]) for _ in range(2)][1], [-10, 10, '{"at":"to"}'])
    soon(lambda: b.mget("from", "to"), ["-10", "10"])
    # Each node keeps its own scripts; the client sends one again where it is asked to.
    equal([b.script_exists(transfer.sha), a.script_exists(transfer.sha)], [[False], [True]])
    equal(transfer(keys=["other", "to"], args=[1], client=b)[0], -1)
    soon(lambda: a.get("other"), "-1")
    refused(lambda: a.eval("return redis.call('HSET', 'h', 'a', 'b')", 0), "Unknown Redis command", "on @user_script:1")
    with a.pipeline(transaction=True) as pipe:
        transfer(keys=["from", "to"], args=[1], client=pipe)
        pipe.get("from")
        equal(pipe.execute()[-1], "-11")


def pools():
    host, port = sys.argv[1].split(":")
    pool = redis.ConnectionPool(host=host, port=int(port), protocol=protocol, max_connections=8)
    clients = [redis.Redis(connection_pool=pool) for _ in range(8)]
    equal([client.set("pooled", "x") for client in clients], [True] * 8)
    pool.disconnect()
    equal(clients[0].get("pooled"), b"x")


equal(a.flushall(), True)
soon(b.dbsize, 0)
for part in (
    connections,
    databases,
    strings,
    compare_and_set,
    expiry,
    bits,
    common_subsequence,
    pipelines,
    transactions,
    publishing,
    across_nodes,
    scans,
    scripts,
    pools,
):
    try:
        part()
    except Exception as error:
        error.add_note(f"in {part.__name__}, RESP{protocol}")
        raise
