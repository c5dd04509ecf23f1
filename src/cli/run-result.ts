import { join, relative } from 'node:path'
import { dataLayoutOf } from '../app/data-layout.ts'
import { formatDuration } from '../foundation/kernel/units.ts'
import type { RunDetail } from '../orchestration/runs/runs-contract.ts'
import { resultsOf, saveArtifacts } from './artifacts.ts'
import type { CliContext } from './command.ts'
import type { Connection } from './connect.ts'
import { oneLine, plural, printable, table } from './text.ts'
import { moodOf } from './ui/run-tree.ts'
import { mark } from './ui/symbols.ts'

/** Tells how a run ended, brings its results into files, and returns the exit code: 0, 1 or that of an interrupt. */
export async function tellRunResult(
  context: CliContext,
  { client, loaded }: Connection,
  detail: RunDetail,
  outFolder: string | undefined,
): Promise<number> {
  const { out, cwd, interrupts } = context
  const { run } = detail
  const folder = outFolder ?? join(dataLayoutOf(loaded.config.dataFolder).artifacts, run.id)
  const files = await saveArtifacts(client, resultsOf(detail), folder)
  out.document({ type: 'result', run, files })
  out.lines('', `${mark(moodOf(run.state), out.colors)} ${headline(detail)}`)
  const bad = detail.steps.filter((step) => moodOf(step.state) === 'bad')
  // The failure of a run is that of its first bad step, which is told below.
  if (run.error !== null && bad.length === 0) out.lines(`  ${out.colors.red(printable(run.error.message))}`)
  for (const step of bad) {
    const task = detail.tasks.find((each) => each.step === step.id && each.error !== null)
    const why = task?.error?.message ?? step.reason ?? step.state
    out.lines(`  ${out.colors.red('✖')} ${oneLine(step.id, 60)}: ${oneLine(why, 500)}`)
  }
  for (const line of summaryOf(detail)) out.lines(`  ${printable(line)}`)
  // What people read before what programs read.
  const readable = (name: string) => (name.endsWith('.md') ? 0 : 1)
  const rows = files.toSorted((a, b) => readable(a.name) - readable(b.name))
  if (rows.length > 0)
    out.lines('', ...table(rows.map(({ name, file }) => [`  ${out.colors.bold(oneLine(name))}`, shortPath(cwd, file)])))
  if (run.state === 'failed') {
    out.note(`${out.colors.cyan('next')}  leanvibe runs logs ${run.id}   what its tasks printed`)
    out.note(`      leanvibe runs retry ${run.id}  repeat what failed and keep the rest`)
  }
  if (run.state === 'cancelled') {
    out.note(`${out.colors.cyan('next')}  leanvibe runs retry ${run.id}  go on from what had ended`)
    return interrupts.exitCode
  }
  return run.state === 'succeeded' ? 0 : 1
}

function headline({ run, steps, tasks }: RunDetail): string {
  const took =
    run.startedAt === null || run.endedAt === null
      ? ''
      : ` in ${formatDuration(Date.parse(run.endedAt) - Date.parse(run.startedAt))}`
  const total = Math.max(
    tasks.length,
    steps.reduce((sum, step) => sum + step.total, 0),
  )
  const skipped = steps.filter(({ state }) => state === 'skipped').length
  const retried = tasks.filter(({ attempt }) => attempt > 1).length
  const parts = [plural(steps.length, 'step'), plural(total, 'task')]
  if (skipped > 0) parts.push(`${skipped} skipped`)
  if (retried > 0) parts.push(`${retried} tried again`)
  return `${oneLine(run.workflow, 80)} ${run.state}${took}: ${parts.join(', ')} (${run.id})`
}

/** Lines a workflow has to say at its end: its output `summary`, a text or a list of texts. */
function summaryOf({ run }: RunDetail): string[] {
  const outputs = run.outputs
  if (typeof outputs !== 'object' || outputs === null || Array.isArray(outputs)) return []
  const { summary } = outputs as Record<string, unknown>
  if (typeof summary === 'string') return summary.split('\n')
  return Array.isArray(summary) ? summary.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))) : []
}

function shortPath(cwd: string, file: string): string {
  const short = relative(cwd, file)
  return short.startsWith('..') ? file : short
}
