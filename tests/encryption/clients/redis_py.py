"""redis-py over TLS, as applications use it. Arguments: the node's port, and the directory of the certificates."""

import pathlib
import sys

import redis

port, directory = int(sys.argv[1]), pathlib.Path(sys.argv[2])
own = {"ssl_certfile": str(directory / "client.crt"), "ssl_keyfile": str(directory / "client.key")}
trusted = {"ssl_ca_certs": str(directory / "ca.crt")}


def equal(answer, expected):
    assert answer == expected, f"{answer!r}, expected {expected!r}"


for protocol in (2, 3):
    by_flags = redis.Redis(host="localhost", port=port, ssl=True, protocol=protocol, decode_responses=True,
                           ssl_check_hostname=True, **trusted, **own)
    by_url = redis.Redis.from_url(f"rediss://127.0.0.1:{port}/0", protocol=protocol, **trusted, **own)
    equal(by_flags.flushall(), True)
    equal(by_flags.set("color", "blue"), True)
    equal(by_url.get("color"), b"blue")
    value = bytes(range(256)) * 4096 * 3
    equal(by_url.set("big", value), True)
    equal(by_url.get("big") == value, True)
    with by_flags.pipeline(transaction=True) as pipeline:
        for number in range(1000):
            pipeline.incr("n")
        equal(pipeline.execute(), list(range(1, 1001)))
    listener = by_flags.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    while not by_url.publish("news", "first"):
        listener.get_message(timeout=1)
    message = None
    while message is None:
        message = listener.get_message(timeout=60)
    equal(message["data"], "first")
    by_flags.close()
    by_url.close()


def refused(**options):
    client = redis.Redis(host="127.0.0.1", port=port, socket_timeout=60, **options)
    try:
        answer = client.get("color")
    except (redis.ConnectionError, redis.ResponseError):
        return
    raise AssertionError(f"{answer!r}, expected an error")


refused(ssl=True, **trusted)  # no certificate
refused(ssl=True, **own)  # nobody vouches for the node
refused()  # plain text
