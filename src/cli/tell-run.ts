import type { RunDetail } from '../orchestration/runs/runs-contract.ts'
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
