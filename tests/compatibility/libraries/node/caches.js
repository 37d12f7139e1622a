// Caches and sessions.
const { PORT, library, check, eventually, step, serving } = require('./steps')

const url = `redis://127.0.0.1:${PORT}`

async function connected () {
  const client = require('redis').createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return client
}

library('keyv + @keyv/redis', async () => {
  const { default: Keyv } = require('keyv')
  const { default: KeyvRedis } = require('@keyv/redis')
  const cache = new Keyv(new KeyvRedis(url), { namespace: 'app' })
  await step('set, get, expire, delete, clear', async () => {
    await cache.set('color', 'blue', 300)
    check(await cache.get('color') === 'blue', 'get gives something else')
    await eventually(async () => await cache.get('color') === undefined, 'the key does not expire')
    await cache.set('color', 'blue')
    await cache.delete('color')
    check(await cache.get('color') === undefined, 'delete deletes nothing')
    await cache.set('color', 'blue')
    await cache.clear()
    check(await cache.get('color') === undefined, 'clear clears nothing')
  })
})

library('cache-manager + @keyv/redis', async () => {
  const { createCache } = require('cache-manager')
  const { createKeyv } = require('@keyv/redis')
  const cache = createCache({ stores: [createKeyv(url)] })
  await step('wrap, set, get, expire, many, delete', async () => {
    let made = 0
    for (const time of [1, 2]) check(await cache.wrap('color', () => { made++; return 'blue' }, 60_000) === 'blue', `wrap gives something else, ${time}`)
    check(made === 1, 'the value is made twice')
    await cache.set('short', 1, 300)
    await eventually(async () => await cache.get('short') === undefined, 'the key does not expire')
    await cache.mset([{ key: 'a', value: 1 }, { key: 'b', value: 2 }])
    check(String(await cache.mget(['a', 'b'])) === '1,2', 'mget gives something else')
    await cache.del('color')
    check(await cache.get('color') === undefined, 'delete deletes nothing')
  })
})

library('cacheable + @keyv/redis', async () => {
  const { Cacheable } = require('cacheable')
  const { default: KeyvRedis } = require('@keyv/redis')
  const cache = new Cacheable({ secondary: new KeyvRedis(url) })
  const other = new Cacheable({ secondary: new KeyvRedis(url) })
  await step('set in one process, get in another, delete', async () => {
    await cache.set('color', 'blue', '1h')
    check(await other.get('color') === 'blue', 'get gives something else')
    await cache.delete('color')
    check(await cache.get('color') === undefined, 'delete deletes nothing')
  })
})

library('apicache', async () => {
  const express = require('express')
  const client = require('redis-of-apicache').createClient(PORT)
  const apicache = require('apicache').options({ redisClient: client, appendKey: () => '' })
  const app = express()
  let made = 0
  app.get('/', apicache.middleware('1 hour'), (request, response) => { made++; response.json({ color: 'blue' }) })
  const page = await serving(app)
  await step('a page that is asked for twice', async () => {
    const first = await (await fetch(page)).text()
    await eventually(async () => {
      made = 0
      const again = await (await fetch(page)).text()
      return again === first && made === 0
    }, 'the page is made each time')
  })
})

library('express-session + connect-redis', async () => {
  const express = require('express')
  const session = require('express-session')
  const { RedisStore } = require('connect-redis')
  const app = express()
  app.use(session({ store: new RedisStore({ client: await connected() }), secret: 'none', resave: false, saveUninitialized: false }))
  app.get('/', (request, response) => {
    request.session.count = (request.session.count ?? 0) + 1
    response.send(String(request.session.count))
  })
  app.get('/leave', (request, response) => request.session.destroy(() => response.send('left')))
  const page = await serving(app)
  await step('save, load, change, end', async () => {
    const first = await fetch(page)
    const headers = { cookie: first.headers.get('set-cookie')?.split(';')[0] }
    check(await first.text() === '1', 'the session is not saved')
    check(await (await fetch(page, { headers })).text() === '2', 'the session is not kept')
    await fetch(page + 'leave', { headers })
    check(await (await fetch(page, { headers })).text() === '1', 'the session does not end')
  })
  await step('all sessions, their count', async () => {
    const store = new RedisStore({ client: await connected(), prefix: 'all:' })
    const set = id => new Promise((resolve, reject) => store.set(id, { cookie: {} }, error => error ? reject(error) : resolve()))
    await set('one')
    await set('two')
    const count = await new Promise((resolve, reject) => store.length((error, found) => error ? reject(error) : resolve(found)))
    check(count === 2, 'it miscounts')
  })
})

library('koa-session, store over ioredis', async () => {
  const { default: Koa } = require('koa')
  const koaSession = require('koa-session')
  const session = koaSession.default ?? koaSession.createSession
  const client = new (require('ioredis'))(PORT)
  const store = {
    get: async key => JSON.parse(await client.get(key)),
    set: (key, value, maxAge) => client.set(key, JSON.stringify(value), 'PX', maxAge),
    destroy: key => client.del(key)
  }
  const app = new Koa()
  app.keys = ['none']
  app.use(session({ store, maxAge: 60_000 }, app))
  app.use(context => {
    context.session.count = (context.session.count ?? 0) + 1
    context.body = String(context.session.count)
  })
  const page = await serving(app.callback())
  await step('save, load', async () => {
    const first = await fetch(page)
    const cookie = first.headers.getSetCookie().map(one => one.split(';')[0]).join('; ')
    check(await first.text() === '1', 'the session is not saved')
    check(await (await fetch(page, { headers: { cookie } })).text() === '2', 'the session is not kept')
  })
})
