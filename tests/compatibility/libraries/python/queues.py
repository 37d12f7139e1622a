"""Queues: enqueue a job, let a worker do it, read the result."""

import asyncio

import steps
from steps import PORT, URL, check, library, step


def square(number):
    return number * number


@library("rq")
def rq():
    from redis import Redis
    from rq import Queue, SimpleWorker

    import queues  # a job has to be of a module that the worker can import

    connection = Redis(port=PORT)
    with step("enqueue, work, result"):
        queue = Queue(connection=connection)
        job = queue.enqueue(queues.square, 3)
        SimpleWorker([queue], connection=connection).work(burst=True)
        check(job.return_value(refresh=True) == 9, "the job has no result")


@library("celery")
def celery():
    from celery import Celery
    from celery.contrib.testing.worker import start_worker

    app = Celery("app", broker=URL, backend=URL, broker_connection_retry_on_startup=False)
    app.conf.update(broker_connection_max_retries=1, broker_transport_options={"max_retries": 1})
    task = app.task(square, name="square")
    with step("enqueue, work, result"):
        with start_worker(app, perform_ping_check=False, pool="solo"):
            check(task.delay(3).get(timeout=8) == 9, "the job has another result")


@library("celery, results only")
def celery_results():
    from celery import Celery

    with step("store a result, read it, forget it"):
        app = Celery("app", broker="memory://", backend=URL)
        app.backend.store_result("one", 9, "SUCCESS")
        check(app.AsyncResult("one").get(timeout=8) == 9, "the result is another")
        app.AsyncResult("one").forget()
        check(app.AsyncResult("one").state == "PENDING", "the result stays")


@library("dramatiq")
def dramatiq():
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker
    from dramatiq.results import Results
    from dramatiq.results.backends import RedisBackend

    broker = RedisBroker(url=URL)
    broker.add_middleware(Results(backend=RedisBackend(url=URL)))
    dramatiq.set_broker(broker)
    actor = dramatiq.actor(square, store_results=True)
    with step("enqueue, work, result"):
        message = actor.send(3)
        worker = dramatiq.Worker(broker, worker_threads=1)
        worker.start()
        check(message.get_result(block=True, timeout=8000) == 9, "the job has another result")


@library("huey")
def huey():
    from huey import RedisHuey

    app = RedisHuey("app", url=URL)
    task = app.task()(square)
    with step("enqueue, work, result"):
        result = task(3)
        app.execute(app.dequeue())
        check(result() == 9, "the job has no result")
    with step("lock_task"):
        with app.lock_task("door"):
            check(app.is_locked("door"), "the lock is not taken")
        check(not app.is_locked("door"), "the lock is not released")


@library("huey, RedisExpireHuey results")
def huey_results():
    from huey import RedisExpireHuey

    app = RedisExpireHuey("app", url=URL)
    with step("put a result, read it"):
        app.put("one", 9)
        check(app.get("one") == 9, "the result is another")


@library("arq")
async def arq():
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker, func

    async def squared(_, number):
        return number * number

    with step("enqueue, work, result"):
        pool = await create_pool(RedisSettings(port=PORT))
        job = await pool.enqueue_job("squared", 3)
        worker = Worker(functions=[func(squared, name="squared")], redis_pool=pool, burst=True, handle_signals=False, poll_delay=0.05)
        await worker.main()
        check(await job.result(timeout=8) == 9, "the job has another result")


@library("saq")
async def saq():
    from saq import Queue, Worker

    async def squared(_, *, number):
        return number * number

    with step("enqueue, work, result"):
        queue = Queue.from_url(URL)
        await queue.connect()
        worker = asyncio.create_task(Worker(queue, functions=[("squared", squared)], dequeue_timeout=1).start())
        await asyncio.sleep(1)  # what comes while it begins is taken for work that was left behind
        try:
            check(await queue.apply("squared", number=3, timeout=8) == 9, "the job has another result")
        finally:
            worker.cancel()


@library("taskiq-redis")
async def taskiq():
    from taskiq.api import run_receiver_task
    from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

    broker = ListQueueBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))

    @broker.task
    async def squared(number: int) -> int:
        return number * number

    with step("enqueue, work, result"):
        await broker.startup()
        job = await squared.kiq(3)
        worker = asyncio.create_task(run_receiver_task(broker))
        try:
            found = await job.wait_result(timeout=8)
            check(found.return_value == 9, "the job has another result")
        finally:
            worker.cancel()


if __name__ == "__main__":
    steps.main()
