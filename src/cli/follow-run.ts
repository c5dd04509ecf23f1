import { cancelRun } from '../orchestration/runs/run-endpoints-contract.ts'
import type { RunDetail } from '../orchestration/runs/runs-contract.ts'
import type { CliContext } from './command.ts'
import type { Connection } from './connect.ts'
import { Interrupted } from './interrupts.ts'
import { tellRunResult } from './run-result.ts'
import { createPlainProgress, type Progress } from './ui/plain-progress.ts'
import { watchRun } from './watch-run.ts'

export interface FollowOptions {
  readonly id: string
  /** Where results are copied to. Default: `artifacts/RUN` in the data folder. */
  readonly outFolder?: string | undefined
  /** Ctrl-C cancels the run where this call started it; otherwise it only stops to watch. */
  readonly owns: boolean
}

/** Shows a run until it has ended, and tells its result. Returns the exit code. */
export async function followRun(context: CliContext, connection: Connection, options: FollowOptions): Promise<number> {
  const { out, interrupts } = context
  const { client } = connection
  const progress = await createProgress(context)
  const undo = options.owns
    ? interrupts.onInterrupt(() => {
        progress.setNote?.('cancelling; Ctrl-C again leaves at once')
        const cancelling = client.call(cancelRun, {
          params: { id: options.id },
          body: { reason: 'interrupted by the user' },
        })
        // A run that has just ended cannot be cancelled, and that is as good.
        cancelling.catch((error) => out.note(`could not cancel: ${error instanceof Error ? error.message : error}`))
      })
    : () => {}
  let last: RunDetail | null = null
  try {
    const onEvent = out.json ? { onEvent: (event: unknown) => out.document(event) } : {}
    for await (const detail of watchRun(client, options.id, { signal: interrupts.signal, ...onEvent })) {
      last = detail
      progress.show(detail)
    }
  } catch (error) {
    if (error instanceof Interrupted && options.owns && connection.embedded) {
      const next = `leanvibe orchestrate --resume ${options.id}`
      out.document({ type: 'left', runId: options.id, next })
      out.note(`${out.colors.cyan('next')}  ${next}   goes on with the run`)
    }
    throw error
  } finally {
    undo()
    await progress.close()
  }
  return tellRunResult(context, connection, last!, options.outFolder)
}

interface AnyProgress extends Progress {
  setNote?(note: string | null): void
}

async function createProgress({ out, env }: CliContext): Promise<AnyProgress> {
  if (out.json) return { show: () => {}, close: async () => {} }
  if (!out.isTerminal || env.ci) return { ...createPlainProgress(out), setNote: (note) => out.note(note ?? '') }
  const { createLiveProgress } = await import('./ui/live-progress.ts')
  return createLiveProgress(out)
}
