import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { ProcessEnd } from '../../../foundation/platform/processes/index.ts'
import { signalOf } from '../container/container-verdict.ts'
import { kubeErrors } from './kube-errors.ts'
import type { ExecEnd } from './kube-exec.ts'

/** A process that was started beside others in a pod, as it ended. */
export function endOfExec({ exitCode, message }: ExecEnd, wallSeconds: number): ProcessEnd {
  if (exitCode === null) throw kubeErrors['pod-lost'](message === '' ? 'the connection to the pod was lost' : message)
  const signal = exitCode > 128 ? signalOf(exitCode - 128) : null
  return {
    exitCode: signal === null ? exitCode : null,
    signal,
    usage: { cpuSeconds: null, maxRssBytes: null, wallSeconds },
    leftovers: 0,
    survivors: 0,
    lost: false,
    breach: null,
  }
}

/** For a shell: the text as one word. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Resolves whatever happens: for what is done on the way out, where nobody can be told. */
export async function quietly(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (isAppError(error) || (error instanceof Error && error.name === 'AbortError')) return false
    throw error
  }
}
