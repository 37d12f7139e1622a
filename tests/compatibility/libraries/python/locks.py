"""Locks: take one in one client, fail to take it in another, release it, take it in the other."""

import steps
from redis import Redis
from steps import PORT, check, library, step, taken_at_two_nodes


def lock_steps(make):
    """`make(name, port)` gives a pair of functions: take without waiting, release."""
    take, release = make("door", PORT)
    take_other, release_other = make("door", PORT)
    with step("take; another client fails to"):
        check(take(), "the lock is not to be had")
        check(not take_other(), "a second client gets the lock")
    with step("release; another client takes it"):
        release()
        check(take_other(), "the lock is not released: it stays until it expires")
    with step("who does not hold it releases nothing"):
        try:
            release()
        except Exception:  # most say so
            pass
        check(not make("door", PORT)[0](), "the lock of another was released")
    with step("taken at two nodes at once"):
        taken_at_two_nodes(make)


@library("redis-py Lock")
def redis_py():
    def make(name, port):
        lock = Redis(port=port).lock(name, timeout=30, thread_local=False)
        return lambda: lock.acquire(blocking=False), lock.release

    lock_steps(make)


@library("python-redis-lock")
def python_redis_lock():
    from redis_lock import Lock

    def make(name, port):
        lock = Lock(Redis(port=port), name, expire=30)
        return lambda: lock.acquire(blocking=False), lock.release

    lock_steps(make)


@library("redlock-py")
def redlock_py():
    from redlock import Redlock

    def make(name, port):
        manager, held = Redlock([{"host": "127.0.0.1", "port": port}], retry_count=1), []

        def take():
            lock = manager.lock(name, 30_000)
            held[:] = [lock] if lock else held
            return bool(lock)

        return take, lambda: manager.unlock(held[0])

    lock_steps(make)


@library("pottery Redlock")
def pottery():
    from pottery import Redlock

    def make(name, port):
        lock = Redlock(key=name, masters={Redis(port=port)}, auto_release_time=30)
        return lambda: lock.acquire(blocking=False), lock.release

    lock_steps(make)


@library("sherlock")
def sherlock():
    from sherlock import RedisLock

    def make(name, port):
        lock = RedisLock(name, client=Redis(port=port), expire=30)
        return lambda: lock.acquire(blocking=False), lock.release

    lock_steps(make)


if __name__ == "__main__":
    steps.main()
