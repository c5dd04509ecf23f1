import { AppError, exitCodeOf, messageOf } from '../foundation/kernel/errors.ts'
import { cliErrors } from './cli-errors.ts'
import { Interrupted } from './interrupts.ts'
import type { Output } from './output.ts'
import { printable } from './text.ts'

/** The exit code of a failure: that of its kind; 1 for a run that failed; 2 for a command line that is not understood. */
export function exitCodeFor(error: unknown, interrupted: number): number {
  if (isInterrupt(error)) return interrupted
  if (!(error instanceof AppError)) return exitCodeOf.internal
  if (error.code === 'usage') return 2
  if (error.code === 'run-failed') return 1
  return exitCodeOf[error.kind]
}

/** Tells a failure on standard error: what went wrong and what to do next; with `--json` as one document. */
export function tellFailure(out: Output, error: unknown, debug: boolean): void {
  if (isInterrupt(error)) return
  const known = error instanceof AppError ? error : null
  if (out.json) {
    const { code, kind, retry, next, details } = known ?? unforeseen
    out.stderr.write(`${JSON.stringify({ error: { code, kind, message: messageOf(error), retry, next, details } })}\n`)
    return
  }
  const { colors } = out
  out.stderr.write(
    `${colors.red('error')} ${printable(messageOf(error))}${known === null ? '' : colors.dim(` [${known.code}]`)}\n`,
  )
  if (known?.next) out.stderr.write(`${colors.cyan('next')}  ${printable(known.next)}\n`)
  if (known === null)
    out.stderr.write(`${colors.cyan('next')}  this is a fault of LeanVibe: please report it with the lines below\n`)
  if (known === null || debug) out.stderr.write(`${printable(stackOf(error))}\n`)
}

/** Timers and streams of Node throw an AbortError of their own, with what they were aborted for as its cause. */
function isInterrupt(error: unknown): boolean {
  if (error instanceof Interrupted) return true
  return error instanceof Error && error.name === 'AbortError' && error.cause instanceof Interrupted
}

const unforeseen = { code: 'internal', kind: 'internal', retry: 'never', next: 'report it', details: {} } as const

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

/** A wish of the command line that cannot be met; `next` of the code tells about --help. */
export function usageError(message: string): AppError {
  return cliErrors.usage(message)
}
