// Locks and limiters.
const { PORT, library, check, step, twoOfThree, takenAtTwoNodes, serving } = require('./steps')
const Redis = require('ioredis')
const url = `redis://127.0.0.1:${PORT}`

/** `make(name, port)` gives a pair of functions: take without waiting, release. */
async function lockSteps (make) {
  const one = make('door', PORT)
  const other = make('door', PORT)
  await step('take; another client fails to', async () => {
    check(await one.take(), 'the lock is not to be had')
    check(!await other.take(), 'a second client gets the lock')
  })
  await step('release; another client takes it', async () => {
    await one.release()
    check(await other.take(), 'the lock is not released: it stays until it expires')
  })
  await step('taken at two nodes at once', async () => {
    await takenAtTwoNodes(make)
  })
}

library('redlock', () => {
  const Redlock = require('redlock')
  return lockSteps((name, port) => {
    const redlock = new (Redlock.default ?? Redlock)([new Redis(port)], { retryCount: 0 })
    const acquire = (redlock.acquire ?? redlock.lock).bind(redlock)
    let held = null
    let refused = null
    redlock.on?.('clientError', error => { refused = error })
    return {
      take: async () => {
        try {
          held = await acquire(redlock.acquire ? [name] : name, 30_000)
          return true
        } catch (error) {
          if (/unknown command/i.test(refused?.message)) throw refused
          return false
        }
      },
      release: () => {
        if (!held) throw refused
        return (held.release ?? held.unlock).call(held)
      }
    }
  })
})

library('redis-semaphore', () => {
  const { Mutex } = require('redis-semaphore')
  return lockSteps((name, port) => {
    const mutex = new Mutex(new Redis(port), name, { lockTimeout: 30_000, refreshInterval: 0, acquireAttemptsLimit: 1 })
    return { take: () => mutex.tryAcquire(), release: () => mutex.release() }
  })
})

library('rate-limiter-flexible', async () => {
  const { RateLimiterRedis } = require('rate-limiter-flexible')
  const limiter = new RateLimiterRedis({ storeClient: new Redis(PORT), points: 2, duration: 600 })
  await step('two in ten minutes', () => twoOfThree(async () => {
    try {
      await limiter.consume('all')
      return true
    } catch (refused) {
      if (refused instanceof Error) throw refused
      return false
    }
  }))
})

library('express-rate-limit + rate-limit-redis', async () => {
  const express = require('express')
  const { rateLimit } = require('express-rate-limit')
  const { RedisStore } = require('rate-limit-redis')
  const client = new Redis(PORT)
  await step('a page, twice in ten minutes', async () => {
    const app = express()
    const store = new RedisStore({ sendCommand: (command, ...args) => client.call(command, ...args) })
    app.use(rateLimit({ windowMs: 600_000, limit: 2, store, validate: false }))
    app.get('/', (request, response) => response.send('welcome'))
    app.use((error, request, response, next) => response.status(500).send(error.message))
    const page = await serving(app)
    await twoOfThree(async () => {
      const answer = await fetch(page)
      if (answer.status === 500) throw new Error(await answer.text())
      return answer.status === 200
    })
  })
})

library('@fastify/rate-limit', async () => {
  const fastify = require('fastify')()
  await step('a page, twice in ten minutes', async () => {
    await fastify.register(require('@fastify/rate-limit'), { max: 2, timeWindow: 600_000, redis: new Redis(PORT) })
    fastify.get('/', async () => 'welcome')
    await twoOfThree(async () => {
      const answer = await fastify.inject('/')
      if (answer.statusCode === 500) throw new Error(answer.json().message)
      return answer.statusCode === 200
    })
  })
})
