import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface AskChildOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds until it is ended. Default 30,000. */
  readonly timeoutMs?: number
}

/** The message a child sent, or why none came. */
export type ChildAnswer = { readonly message: unknown } | { readonly missing: string }

/**
 * Runs a program of ours in a Node of its own until it sends one message, then ends it, whatever it still does. All that
 * it prints goes to standard error.
 */
export async function askChild(
  program: URL,
  args: readonly string[],
  { signal, timeoutMs = 30_000 }: AskChildOptions = {},
): Promise<ChildAnswer> {
  signal?.throwIfAborted()
  const child = fork(fileURLToPath(program), args, { execArgv: [], stdio: ['ignore', 2, 2, 'ipc'] })
  let timer: NodeJS.Timeout | undefined
  const abort = Promise.withResolvers<never>()
  const onAbort = () => abort.reject(signal!.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const answer = new Promise<ChildAnswer>((resolve, reject) => {
    timer = setTimeout(() => resolve({ missing: `no answer after ${timeoutMs / 1_000} s` }), timeoutMs)
    child.once('message', (message) => resolve({ message }))
    child.once('error', reject)
    // Comes after every message that was sent before the end.
    child.once('close', (code, by) => resolve({ missing: `the process ended (${by ?? `exit code ${code}`})` }))
  })
  try {
    return await Promise.race([answer, abort.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    child.kill('SIGKILL')
  }
}
