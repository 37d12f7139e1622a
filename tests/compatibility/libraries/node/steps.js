// What each program here is made of: see ../python/steps.py, which says the same for Python.
const fs = require('node:fs')

const PORT = Number(process.env.PORT)
const PEER_PORT = Number(process.env.PEER_PORT)
const programs = {}

/** The library raised nothing, and its work is not done. */
class Silent extends Error {}

function library (name, program) {
  programs[name] = program
}

function check (isSo, otherwise) {
  if (!isSo) throw new Silent(otherwise)
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function eventually (isSo, otherwise, seconds = 6) {
  const until = Date.now() + seconds * 1000
  while (!await isSo()) {
    check(Date.now() < until, otherwise)
    await sleep(20)
  }
}

/** A promise that is not kept in time says so. */
function within (promise, otherwise, seconds = 6) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Silent(otherwise)), seconds * 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function note (fields) {
  fs.appendFileSync(process.env.STEPS, JSON.stringify(fields) + '\n')
}

let running = null
let fail = () => {}

async function step (name, work) {
  running = name
  note({ step: name, state: 'begun' })
  try {
    // What a library throws outside of any promise ends the step as well.
    await Promise.race([work(), new Promise((resolve, reject) => { fail = reject })])
    note({ step: name, state: 'done' })
  } catch (error) {
    const inner = error?.errors?.[0] ?? error
    const state = inner instanceof Silent ? 'silent' : 'raised'
    const name_ = inner?.name ?? 'Error'
    const message = inner?.message ?? String(inner)
    note({ step: name, state, why: state === 'silent' ? message : `${name_}: ${message}` })
  }
}

/** Two may pass, the third may not. */
async function twoOfThree (hit) {
  const passed = []
  for (let time = 0; time < 3; time++) passed.push(await hit())
  check(passed[0] && passed[1], 'one within the limit is refused')
  check(!passed[2], 'the third passes, and the limit is two')
}

/** Of two who take a lock at two servers at once one gets it. Each round has a lock of its own: none is released. */
async function takenAtTwoNodes (make) {
  for (let number = 0; number < 40; number++) {
    const takes = [PORT, PEER_PORT].map(port => make(`gate ${number}`, port).take)
    const taken = (await Promise.all(takes.map(take => take()))).filter(Boolean).length
    check(taken < 2, 'both got the same lock')
    check(taken === 1, 'nobody got the lock')
  }
}

/** A server of web pages on a port of its own; gives its address. */
function serving (handler) {
  return new Promise(resolve => {
    const server = require('node:http').createServer(handler)
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/`))
  })
}

process.on('uncaughtException', error => fail(error))
process.on('unhandledRejection', error => fail(error))
process.nextTick(async () => {
  try {
    await programs[process.argv[2]]()
    process.exit(0)
  } catch (error) {
    console.error(String(error))
    process.exit(1)
  }
})

module.exports = { PORT, PEER_PORT, library, check, sleep, eventually, within, step, twoOfThree, takenAtTwoNodes, serving }
