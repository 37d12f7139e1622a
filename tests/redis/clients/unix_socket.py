"""redis-py by the unix socket. Argument: its path."""

import os
import sys

import redis

client = redis.Redis(
    unix_socket_path=sys.argv[1], protocol=int(os.environ["PROTOCOL"]), socket_timeout=60, decode_responses=True
)


def equal(answer, expected):
    assert answer == expected, f"{answer!r}, expected {expected!r}"


client.flushall()
equal(client.set("color", "dark blue"), True)
equal(client.get("color"), "dark blue")
pipeline = client.pipeline(transaction=True)
for number in range(1000):
    pipeline.incrby("sum", number)
equal(pipeline.execute()[-1], 499500)
large = "x" * 10_000_000
equal(client.set("large", large), True)
equal(client.get("large"), large)
equal([one["flags"] for one in client.client_list()], ["U"])
