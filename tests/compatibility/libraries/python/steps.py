"""What each program here is made of: steps, each of which does what the library promises or tells how it fails.

A program is a function `@library("name", job)`. It is run in a process of its own, `python caches.py name`, with the
port of a server in `PORT` and that of a linked one, where there is one, in `PEER_PORT`. Each step is written to the
file that `STEPS` names as it begins and as it ends, so that whoever reads it knows which step hung.
"""

import asyncio
import concurrent.futures
import contextlib
import inspect
import json
import os
import sys
import threading
import time

PORT = int(os.environ["PORT"])
PEER_PORT = int(os.environ["PEER_PORT"])
URL = f"redis://127.0.0.1:{PORT}/0"
PEER_URL = f"redis://127.0.0.1:{PEER_PORT}/0"

programs = {}


class Silent(AssertionError):
    """The library raised nothing, and its work is not done."""


def library(name):
    def keep(function):
        programs[name] = function
        return function

    return keep


def check(is_so, otherwise):
    if not is_so:
        raise Silent(otherwise)


def eventually(is_so, otherwise, seconds=6):
    until = time.monotonic() + seconds
    while not is_so():
        check(time.monotonic() < until, otherwise)
        time.sleep(0.02)


async def eventually_async(is_so, otherwise, seconds=6):
    until = time.monotonic() + seconds
    while True:
        found = is_so()
        if await found if inspect.isawaitable(found) else found:
            return
        check(time.monotonic() < until, otherwise)
        await asyncio.sleep(0.02)


def note(**fields):
    with open(os.environ["STEPS"], "a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


@contextlib.contextmanager
def step(name):
    note(step=name, state="begun")
    try:
        yield
    except BaseException as error:  # noqa: BLE001: whatever a library raises is its answer
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        why = f"{type(error).__name__}: {error}"
        if cause := error.__cause__ or error.__context__:
            why += f" ({cause})"
        state = "silent" if isinstance(error, Silent) else "raised"
        note(step=name, state=state, why=str(error) if state == "silent" else why)
    else:
        note(step=name, state="done")


def at_once(*functions):
    """Runs functions at the same time and gives their results, in order, or raises what one of them raises."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        barrier.wait()
        return function()

    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def count_on_two_nodes(add, peer_add, total, times=200):
    """Both servers count to `times` at once; what they count together is asked for until it stands still."""
    at_once(lambda: [add() for _ in range(times)], lambda: [peer_add() for _ in range(times)])
    counted = None
    for _ in range(10):
        time.sleep(0.1)
        counted = int(total())
        if counted == 2 * times:
            return
    raise Silent(f"{2 * times} were counted at two nodes at once, and the counter says less")


def taken_at_two_nodes(make, rounds=40):
    """Of two who take a lock at two servers at once one gets it. Each round has a lock of its own: none is released."""
    for number in range(rounds):
        takes = [make(f"gate {number}", port)[0] for port in (PORT, PEER_PORT)]
        taken = sum(map(bool, at_once(*takes)))
        check(taken < 2, "both got the same lock")
        check(taken == 1, "nobody got the lock")


def main():
    program = programs[sys.argv[1]]
    made = program()
    if inspect.iscoroutine(made):
        asyncio.run(made)
    # What a library leaves running does not matter.
    sys.stdout.flush()
    os._exit(0)
