import { parentPort, workerData } from 'node:worker_threads'
import {
  type AgentFunction,
  type FromFunction,
  type FunctionAnswer,
  type FunctionContext,
  type FunctionThreadData,
  mostUnread,
  type ToFunction,
} from './function-contract.ts'

// The thread of a function: loads the module, calls it, tells how it ended. Everything the module can reach is here.

const port = parentPort!
const { module, task, env, unread: shared } = workerData as FunctionThreadData
const unread = new Int32Array(shared)
const controller = new AbortController()
const open = new Map<number, PromiseWithResolvers<FunctionAnswer>>()
let asked = 0
let used = 0

/** Who talks faster than it is heard waits, and with it the whole thread. */
function tell(message: FromFunction): void {
  for (;;) {
    const waiting = Atomics.load(unread, 0)
    if (waiting < mostUnread) break
    Atomics.wait(unread, 0, waiting, 1_000)
  }
  Atomics.add(unread, 0, 1)
  port.postMessage(message)
}

port.on('message', (message: ToFunction) => {
  if (message.kind === 'abort') return controller.abort(message.reason)
  const waiting = open.get(message.id)
  open.delete(message.id)
  if (message.answer === null) waiting?.reject(new Error(message.error ?? 'nobody answers any more'))
  else waiting?.resolve(message.answer)
})

const context: FunctionContext = {
  signal: controller.signal,
  env,
  progress: (note) => tell({ kind: 'progress', ...(note === undefined ? {} : { note: String(note) }) }),
  log: (line) => tell({ kind: 'log', line: String(line) }),
  say: (text) => tell({ kind: 'say', text: String(text) }),
  usage: (spent) => tell({ kind: 'usage', spent }),
  async tool(tool, work) {
    used += 1
    const call = used
    const told = (state: 'started' | 'completed' | 'failed') => tell({ kind: 'tool', call, state, used: tool })
    told('started')
    try {
      const value = await work()
      told('completed')
      return value
    } catch (error) {
      told('failed')
      throw error
    }
  },
  async ask(question) {
    asked += 1
    const answer = Promise.withResolvers<FunctionAnswer>()
    open.set(asked, answer)
    tell({ kind: 'ask', id: asked, question })
    return answer.promise
  },
}

async function call(): Promise<void> {
  const loaded = (await import(module)) as { readonly default?: unknown }
  if (typeof loaded.default !== 'function') throw unusable('its default export is no function')
  const value = await (loaded.default as AgentFunction)(task, context)
  const text = value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value)
  if (text === undefined) throw unusable('what it returned is no JSON')
  tell({ kind: 'done', text, cpuSeconds: cpuSeconds() })
}

function unusable(message: string): Error {
  return Object.assign(new Error(message), { retry: 'never' })
}

function cpuSeconds(): number | null {
  if (typeof process.threadCpuUsage !== 'function') return null
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000_000
}

function fail(error: unknown): void {
  const { message, stack, retry, code } = (error ?? {}) as {
    message?: unknown
    stack?: unknown
    retry?: unknown
    code?: unknown
  }
  const text = typeof message === 'string' ? message : String(error)
  // Where it went wrong is worth knowing; a module that does not load will not the next time either.
  if (typeof stack === 'string') tell({ kind: 'log', line: stack })
  const lost = code === 'ERR_MODULE_NOT_FOUND' || error instanceof SyntaxError
  tell({
    kind: 'failed',
    message: text,
    retry: retry === 'never' || lost ? 'never' : 'later',
    cpuSeconds: cpuSeconds(),
  })
}

call()
  .catch(fail)
  // What the module has left open does not keep the thread.
  .finally(() => port.close())
