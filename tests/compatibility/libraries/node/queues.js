// Queues, messages and clients.
const { PORT, library, check, eventually, within, step } = require('./steps')
const Redis = require('ioredis')
const connection = { host: '127.0.0.1', port: PORT }
const url = `redis://127.0.0.1:${PORT}`

library('ioredis', async () => {
  const client = new Redis(PORT)
  await step('set, get, expire, scan, pipeline, transaction with WATCH', async () => {
    await client.set('color', 'blue', 'EX', 60)
    check(await client.get('color') === 'blue' && await client.ttl('color') > 0, 'get gives something else')
    await client.mset(Object.fromEntries(Array.from({ length: 30 }, (_, number) => [`page:${number}`, number])))
    let found = 0
    for await (const keys of client.scanStream({ match: 'page:*' })) found += keys.length
    check(found >= 30, 'scanStream misses some')
    const piped = await client.pipeline().incr('count').incr('count').exec()
    check(String(piped) === ',1,,2', 'the pipeline answers something else')
    await client.watch('color')
    check(String(await client.multi().set('color', 'red').get('color').exec()) === ',OK,,red', 'the transaction answers something else')
  })
  await step('publish, subscribe', async () => {
    const listener = new Redis(PORT)
    await listener.subscribe('news')
    const heard = new Promise(resolve => listener.on('message', (channel, message) => resolve(message)))
    await client.publish('news', 'hello')
    check(await within(heard, 'the message is not heard') === 'hello', 'another message is heard')
  })
  await step('another database', async () => {
    const other = new Redis({ port: PORT, db: 1 })
    other.on('error', () => {})
    await other.set('shape', 'round')
    check(await client.get('shape') === null, 'databases share keys')
  })
  await step('hashes, lists, sets, sorted sets, streams', async () => {
    await client.hset('h', 'f', 'v')
    await client.rpush('l', 'v')
    await client.sadd('s', 'v')
    await client.zadd('z', 1, 'v')
    await client.xadd('x', '*', 'f', 'v')
  })
  await step('scripts (defineCommand)', async () => {
    client.defineCommand('echoed', { numberOfKeys: 0, lua: 'return ARGV[1]' })
    check(await client.echoed('v') === 'v', 'the script answers something else')
  })
})

library('redis (node-redis)', async () => {
  const { createClient } = require('redis')
  const connected = async options => {
    const client = createClient({ url, ...options })
    // It says why not, and tries again for ever.
    const refused = new Promise((resolve, reject) => client.on('error', reject))
    await Promise.race([refused, within(client.connect(), 'it does not connect')])
    return client
  }
  let client
  await step('set, get, expire, scan, pipeline, transaction', async () => {
    client = await connected()
    await client.set('color', 'blue', { expiration: { type: 'EX', value: 60 } })
    check(await client.get('color') === 'blue' && await client.ttl('color') > 0, 'get gives something else')
    await client.mSet(Object.fromEntries(Array.from({ length: 30 }, (_, number) => [`page:${number}`, String(number)])))
    let found = 0
    for await (const keys of client.scanIterator({ MATCH: 'page:*' })) found += keys.length
    check(found >= 30, 'scanIterator misses some')
    check(String(await Promise.all([client.incr('count'), client.incr('count')])) === '1,2', 'the pipeline answers something else')
    check(String(await client.multi().set('color', 'red').get('color').exec()) === 'OK,red', 'the transaction answers something else')
  })
  await step('RESP3, publish, subscribe', async () => {
    const listener = await connected({ RESP: 3 })
    const heard = new Promise(resolve => listener.subscribe('news', resolve))
    await eventually(async () => await client.publish('news', 'hello') === 1, 'nobody listens')
    check(await within(heard, 'the message is not heard') === 'hello', 'another message is heard')
  })
  await step('client-side caching', async () => {
    const caching = await connected({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } })
    check(await caching.get('color') === 'red', 'get gives something else')
    await client.set('color', 'green')
    await eventually(async () => await caching.get('color') === 'green', 'the old value stays')
  })
  await step('another database', async () => {
    const other = await connected({ database: 1 })
    await other.set('shape', 'round')
    check(await client.get('shape') === null, 'databases share keys')
  })
})

library('bull', async () => {
  const Queue = require('bull')
  await step('enqueue, work, result', async () => {
    const queue = new Queue('squares', { redis: connection })
    const failed = new Promise((resolve, reject) => queue.on('error', reject))
    await Promise.race([failed, within((async () => {
      await queue.isReady()
      queue.process(async job => job.data.number ** 2)
      check(await (await queue.add({ number: 3 })).finished() === 9, 'the job has another result')
    })(), 'the job is not done', 8)])
  })
})

library('bullmq', async () => {
  const { Queue, Worker, QueueEvents } = require('bullmq')
  await step('enqueue, work, result', async () => {
    const queue = new Queue('squares', { connection })
    const events = new QueueEvents('squares', { connection })
    const worker = new Worker('squares', async job => job.data.number ** 2, { connection })
    const failed = new Promise((resolve, reject) => [queue, events, worker].forEach(one => one.on('error', reject)))
    await Promise.race([failed, within((async () => {
      await events.waitUntilReady()
      const job = await queue.add('square', { number: 3 })
      check(await job.waitUntilFinished(events) === 9, 'the job has another result')
    })(), 'the job is not done', 8)])
  })
})

library('bee-queue', async () => {
  const Queue = require('bee-queue')
  await step('enqueue, work, result', async () => {
    const queue = new Queue('squares', { redis: { host: '127.0.0.1', port: PORT } })
    const failed = new Promise((resolve, reject) => queue.on('error', reject))
    queue.process(async job => job.data.number ** 2)
    await Promise.race([failed, within((async () => {
      const job = queue.createJob({ number: 3 })
      const result = new Promise(resolve => job.on('succeeded', resolve))
      await job.save()
      check(await result === 9, 'the job has another result')
    })(), 'the job is not done', 8)])
  })
})

library('node-resque', async () => {
  const { Queue, Worker } = require('node-resque')
  await step('enqueue, work, result', async () => {
    const jobs = { square: { perform: async number => number ** 2 } }
    const options = { connection: { pkg: 'ioredis', ...connection } }
    const queue = new Queue(options, jobs)
    const worker = new Worker({ ...options, queues: ['squares'], timeout: 50 }, jobs)
    const failed = new Promise((resolve, reject) => [queue, worker].forEach(one => one.on('error', reject)))
    await Promise.race([failed, within((async () => {
      await queue.connect()
      await worker.connect()
      const result = new Promise(resolve => worker.on('success', (queue, job, found) => resolve(found)))
      await queue.enqueue('squares', 'square', [3])
      worker.start()
      check(await result === 9, 'the job has another result')
    })(), 'the job is not done', 8)])
  })
})

library('rsmq', async () => {
  const RSMQ = require('rsmq')
  await step('send, receive', async () => {
    const queue = new (RSMQ.default ?? RSMQ)({ host: '127.0.0.1', port: PORT })
    await within(queue.createQueueAsync({ qname: 'news' }), 'the queue is not made')
    await queue.sendMessageAsync({ qname: 'news', message: 'hello' })
    check((await queue.receiveMessageAsync({ qname: 'news' })).message === 'hello', 'the message is not received')
  })
})

library('@socket.io/redis-adapter', async () => {
  const { createAdapter } = require('@socket.io/redis-adapter')
  const { Server } = require('socket.io')
  const { io } = require('socket.io-client')
  await step('an event of one server reaches the browsers of another', async () => {
    const servers = await Promise.all([1, 2].map(async () => {
      const http = require('node:http').createServer()
      await new Promise(resolve => http.listen(0, '127.0.0.1', resolve))
      const server = new Server(http, { adapter: createAdapter(new Redis(PORT), new Redis(PORT)) })
      return { http, server }
    }))
    const browser = io(`http://127.0.0.1:${servers[1].http.address().port}`)
    await within(new Promise(resolve => browser.on('connect', resolve)), 'the browser does not connect')
    const heard = new Promise(resolve => browser.on('news', resolve))
    const again = setInterval(() => servers[0].server.emit('news', 'hello'), 50)
    check(await within(heard, 'the event is not heard') === 'hello', 'another event is heard')
    clearInterval(again)
    check((await within(servers[0].server.fetchSockets(), 'the other server does not answer')).length === 1, 'the browsers of the other server are not seen')
  })
})

library('graphql-redis-subscriptions', async () => {
  const { RedisPubSub } = require('graphql-redis-subscriptions')
  await step('publish, subscribe', async () => {
    const pubsub = new RedisPubSub({ connection })
    const heard = new Promise(resolve => pubsub.subscribe('news', resolve))
    const again = setInterval(() => pubsub.publish('news', { text: 'hello' }), 50)
    check((await within(heard, 'the message is not heard')).text === 'hello', 'another message is heard')
    clearInterval(again)
  })
})
