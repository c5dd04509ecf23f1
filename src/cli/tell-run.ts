import { formatDuration } from '../foundation/kernel/units.ts'
import type { RunDetail, TaskView } from '../orchestration/runs/runs-contract.ts'
import { depthTable } from '../orchestration/workflows/depth-table-contract.ts'
import type { Depth } from '../orchestration/workflows/workflow-contract.ts'
import type { Output } from './output.ts'
import { formatBytes, oneLine, printable, table } from './text.ts'
import { buildRunTree } from './ui/run-tree.ts'
import { mark } from './ui/symbols.ts'

/** A run as it is, for `runs show`. */
export function tellRun(out: Output, detail: RunDetail, now: number = Date.now()): void {
  out.document(detail)
  const { colors } = out
  const { run, artifacts } = detail
  const tree = buildRunTree(detail, { now })
  out.lines(`${mark(tree.mood, colors)} ${colors.bold(tree.title)}  ${tree.status}`)
  const facts: [string, string | null][] = [
    ['version', String(run.version)],
    [
      'repository',
      run.repo === null
        ? null
        : `${run.repo.path}${run.repo.commit === null ? '' : ` at ${run.repo.commit.slice(0, 12)}`}`,
    ],
    ['depth', run.depth === null ? null : tellDepth(run.depth)],
    ['from', run.origin === null ? null : `${run.origin.kind} of ${run.origin.id}`],
    ['inputs', Object.keys(run.inputs).length === 0 ? null : JSON.stringify(run.inputs)],
    ['outputs', run.outputs === null ? null : JSON.stringify(run.outputs)],
    ['error', run.error === null ? null : `${run.error.message} [${run.error.code}]`],
  ]
  out.lines(
    ...table(
      facts.flatMap(([name, value]) => (value === null ? [] : [[`  ${colors.dim(name)}`, oneLine(value, 400)]])),
    ),
  )
  const rows = tree.rows.map((row) => [
    `${'  '.repeat(row.depth + 1)}${mark(row.mood, colors)} ${row.label}`,
    colors.dim(row.elapsed),
    row.mood === 'bad' ? row.note : colors.dim(row.note),
  ])
  out.lines('', ...table(rows))
  const prompts = detail.tasks.filter(({ agent }) => agent !== null)
  if (prompts.length > 0) out.lines('', colors.dim('  agents'), ...table(prompts.map(tellAgent)))
  if (artifacts.length === 0) return
  out.lines(
    '',
    ...table(
      artifacts.map((each) => [
        `  ${printable(each.name)}`,
        formatBytes(each.bytes),
        colors.dim(`${each.step}  ${each.id}`),
      ]),
    ),
  )
}

function tellDepth(depth: Depth): string {
  return `${depth}, reviewed by ${depthTable[depth].reviewers.join(', ')}`
}

/** Who does a prompt, with what, and how much of it. */
function tellAgent({ step, item, agent }: TaskView): string[] {
  const { persona, depth, tier, model, timeoutMs, budget } = agent!
  const limits = [
    formatDuration(timeoutMs),
    ...(budget.microUsd === null ? [] : [`${(budget.microUsd / 1_000_000).toFixed(2)} $`]),
    ...(budget.tokens === null ? [] : [`${budget.tokens.toLocaleString('en-US')} tokens`]),
  ]
  const title = item === null ? step : `${step}[${item}]`
  return [
    `  ${oneLine(title)}`,
    persona ?? 'no persona',
    depth,
    `${tier}: ${model ?? 'model of the agent'}`,
    `at most ${limits.join(', ')}`,
  ]
}
