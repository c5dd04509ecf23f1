import type { NamedProof, Proof } from '../../orchestration/proofs/proof-contract.ts'
import type { CliContext } from '../command.ts'
import { oneLine, printable, table } from '../text.ts'
import { usdText } from '../usd-text.ts'

type Colors = CliContext['out']['colors']

export interface ProofLinesOptions {
  readonly colors: Colors
  /** Also the difference itself and what commands printed. */
  readonly full: boolean
}

const mostFiles = 20
const mostOutputLines = 40

/** A piece of work as a reviewer looks at it: what changed, what speaks for it, who approved, what it cost. */
export function proofLines({ proof, sha256, artifact }: NamedProof, { colors, full }: ProofLinesOptions): string[] {
  const { task } = proof
  const title = task.item === null ? task.step : `${task.step}[${task.item}]`
  const rows: [string, string][] = [
    ['did it', `${task.agent ?? 'nobody'}${task.agent === null ? '' : ` of pool ${task.pool}`}`],
    ['took', timeText(proof)],
    ['cost', costText(proof)],
    ['changed', changeText(proof, colors)],
    ...proof.gates.map((gate): [string, string] => ['gate', gateText(gate, colors)]),
    ...proof.merges.map((merge): [string, string] => ['merge', mergeText(merge)]),
    ...approvalRows(proof),
    ['bundle', `sha256 ${sha256.slice(0, 16)}${artifact === null ? '' : `, kept as ${artifact}`}`],
  ]
  const state = task.state === 'succeeded' ? colors.green(task.state) : colors.red(task.state)
  const why = task.reason === null ? '' : `: ${oneLine(task.reason)}`
  return [
    `${colors.bold(oneLine(title))}  ${state}${why}  ${colors.dim(task.id)}`,
    ...table(rows).map((line) => `  ${line}`),
    ...filesOf(proof, colors),
    ...(full ? [...diffLines(proof, colors), ...outputLines(proof, colors)] : []),
  ]
}

function timeText({ time, attempts }: Proof): string {
  const wall = time.wallSeconds === null ? 'not told' : `${time.wallSeconds.toFixed(1)} s`
  return attempts.length > 1 ? `${wall}, ${attempts.length} attempts` : wall
}

function costText({ cost }: Proof): string {
  const money = cost.microUsd === null ? 'nothing was told' : usdText(cost.microUsd)
  const tokens = cost.tokens === null ? '' : `, ${cost.tokens.toLocaleString('en-US')} tokens`
  const models = [...new Set(cost.models.map(({ model }) => oneLine(model, 60)))]
  return `${money}${tokens}${models.length === 0 ? '' : `, ${models.join(', ')}`}`
}

function changeText({ change }: Proof, colors: Colors): string {
  if (change === null) return 'nothing'
  const { files, added, removed, base, commit } = change
  const lines = `${colors.green(`+${added}`)} ${colors.red(`-${removed}`)}`
  return `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${lines}, ${base.slice(0, 12)}..${commit.slice(0, 12)}`
}

function filesOf({ change }: Proof, colors: Colors): string[] {
  if (change === null) return []
  const rows = change.files
    .slice(0, mostFiles)
    .map(({ path, added, removed, binary }) => [
      oneLine(path),
      binary ? 'binary' : `${colors.green(`+${added}`)} ${colors.red(`-${removed}`)}`,
    ])
  const more = change.files.length - mostFiles
  return [...table(rows).map((line) => `    ${line}`), ...(more > 0 ? [`    and ${more} more`] : [])]
}

function gateText({ step, verdict, checks }: Proof['gates'][number], colors: Colors): string {
  const shown = checks.map(({ name, passed, summary, evidence }) => {
    // What was done has left evidence; conditions have neither that nor words.
    const nothingDone = passed && evidence === null && summary !== ''
    const mark = nothingDone ? colors.dim('–') : passed ? colors.green('✔') : colors.red('✘')
    const words = nothingDone ? summary.split(';')[0]! : passed ? '' : summary
    return `${mark} ${oneLine(name, 40)}${words === '' ? '' : ` (${oneLine(words, 120)})`}`
  })
  return `${oneLine(step)}: ${verdict}  ${shown.join('  ')}`
}

function mergeText({ step, branch, state, from, to, reason }: Proof['merges'][number]): string {
  const moved = state === 'merged' && from !== null && to !== null ? ` ${from.slice(0, 12)}..${to.slice(0, 12)}` : ''
  return `${oneLine(step)}: ${oneLine(branch, 60)} is ${state}${moved}${reason === null ? '' : `, ${oneLine(reason)}`}`
}

function approvalRows({ approvals, questions }: Proof): [string, string][] {
  const rows = approvals.map(({ step, state, by, comment, answers }): [string, string] => {
    const who = answers.length > 1 ? answers.map((one) => one.by).join(', ') : by
    const words = comment === null ? '' : `: ${oneLine(comment)}`
    return ['approval', `${oneLine(step)} is ${state}${who === null ? '' : ` by ${who}`}${words}`]
  })
  const asked = questions.map(({ message, state, by, answer }): [string, string] => [
    'asked',
    `${oneLine(message, 100)}: ${answer === null ? state : oneLine(answer, 100)}${by === null ? '' : `, by ${by}`}`,
  ])
  return [...rows, ...asked]
}

function diffLines({ change }: Proof, colors: Colors): string[] {
  if (change === null) return []
  const lines = change.diff
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => {
      const shown = printable(line)
      if (/^(diff --git|index|---|\+\+\+) /.test(line)) return colors.bold(shown)
      if (line.startsWith('@@')) return colors.cyan(shown)
      return line.startsWith('+') ? colors.green(shown) : line.startsWith('-') ? colors.red(shown) : shown
    })
  return ['', ...lines, ...(change.cut ? [colors.dim(`cut here; all of it is in ${change.artifact.id}`)] : [])]
}

function outputLines({ commands }: Proof, colors: Colors): string[] {
  return commands.flatMap(({ step, title, outcome, output }) => {
    const lines = output.replace(/\n$/, '').split('\n')
    const shown = lines.slice(-mostOutputLines).map((line) => `  ${printable(line)}`)
    const before = lines.length - mostOutputLines
    return [
      '',
      `${colors.bold(`${oneLine(step)}: ${oneLine(title)}`)} (${outcome})`,
      ...(before > 0 ? [colors.dim(`  (${before} lines before)`)] : []),
      ...(output === '' ? [] : shown),
    ]
  })
}
