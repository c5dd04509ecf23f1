import { type ChildProcess, fork } from 'node:child_process'

interface Request {
  readonly id: number
  readonly verb: string
  readonly argument: unknown
}

type Reply = { readonly id: number; readonly value?: unknown; readonly error?: string }

/** A contender's worker, in a process of its own as in production. It does one thing at a time. */
export interface WorkerProcess extends AsyncDisposable {
  call<T>(verb: string, argument?: unknown): Promise<T>
}

/** Starts `file`, which must call `serveCalls`, and waits until it answers. */
export async function startWorker(file: URL, env: Readonly<Record<string, string>>): Promise<WorkerProcess> {
  const child = fork(file, { env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let last = 0
  child.on('message', (message) => {
    const { id, value, error } = message as Reply
    const waiting = open.get(id)
    open.delete(id)
    if (error === undefined) waiting?.resolve(value)
    else waiting?.reject(new Error(error))
  })
  child.on('exit', (code, signal) => {
    for (const waiting of open.values()) waiting.reject(new Error(`the worker ended early: ${signal ?? code}`))
    open.clear()
  })
  const call = <T>(verb: string, argument: unknown = null) =>
    new Promise<T>((resolve, reject) => {
      const id = ++last
      open.set(id, { resolve: resolve as (value: unknown) => void, reject })
      child.send({ id, verb, argument } satisfies Request, (error) => error && reject(error))
    })
  await call('start')
  return {
    call,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return
      await call('stop')
      await ended(child)
    },
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const limit = setTimeout(() => child.kill('SIGKILL'), 10_000)
    child.once('exit', () => {
      clearTimeout(limit)
      resolve()
    })
    child.disconnect()
  })
}

/** The worker's side: answers the calls of the bench until it says `stop`. */
export function serveCalls(verbs: Readonly<Record<string, (argument: never) => Promise<unknown>>>): void {
  process.on('message', (message) => {
    const { id, verb, argument } = message as Request
    const answer = (reply: Omit<Reply, 'id'>) => process.send?.({ id, ...reply })
    const handler = verbs[verb]
    if (!handler) return answer({ error: `the worker does not know ${verb}` })
    handler(argument as never).then(
      (value) => answer({ value }),
      (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
}

/** Nanoseconds of a clock that all processes of this machine share. */
export function sharedClock(): bigint {
  return process.hrtime.bigint()
}
