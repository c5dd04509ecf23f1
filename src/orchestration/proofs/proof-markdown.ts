import type { Proof } from './proof-contract.ts'

/** Lines of output of each command that people are shown; all of it is in the JSON. */
const mostLines = 60
const mostDiffLines = 2_000
const mostToolCalls = 100

/** A bundle as people read it. Words of agents stand in code, where nothing of them is markup. */
export function proofMarkdown(proof: Proof, sha256: string): string {
  const { task, run, change } = proof
  const title = task.item === null ? task.step : `${task.step}[${task.item}]`
  const parts = [
    `# Proof of work: ${inline(title)} of ${inline(run.id)}`,
    table([
      ['task', code(task.id)],
      ['workflow', `${code(run.workflow)}, version ${run.version}`],
      ['state', `${task.state}${task.reason === null ? '' : `: ${inline(task.reason)}`}`],
      ['agent', `${task.agent === null ? 'nobody' : code(task.agent)}, pool ${code(task.pool)}`],
      ['time', timeOf(proof)],
      ['cost', costOf(proof)],
      ['requested by', run.requestedBy.map(code).join(', ')],
    ]),
    '## What it was to do',
    block(task.work.text),
    '## What changed',
    ...(change === null
      ? ['Nothing.']
      : [
          `${change.files.length} files, +${change.added} -${change.removed}, from ${code(change.base)} to ${code(change.commit)}.`,
          change.files
            .map((file) => `- ${code(file.path)} ${file.binary ? 'binary' : `+${file.added} -${file.removed}`}`)
            .join('\n'),
          block(change.diff, 'diff', mostDiffLines),
        ]),
    '## Gates',
    ...(proof.gates.length === 0 ? ['None.'] : proof.gates.map(gateOf)),
    '## Approvals',
    proof.approvals.length + proof.questions.length === 0
      ? 'None.'
      : [...approvals(proof), ...questions(proof)].join('\n'),
    ...(proof.merges.length === 0 ? [] : ['## Merges', proof.merges.map(mergeOf).join('\n')]),
    ...(proof.attempts.length < 2 ? [] : ['## Attempts', proof.attempts.map(attemptOf).join('\n')]),
    ...(proof.toolCalls.length === 0 ? [] : ['## Tools', toolCalls(proof).join('\n')]),
    '## Commands',
    ...proof.commands.flatMap(({ step, title: name, outcome, output, cut }) => [
      `### ${inline(step)}: ${inline(name)} (${outcome})`,
      `${cut ? 'The end of what it printed.\n\n' : ''}${block(output, '', mostLines)}`,
    ]),
    `SHA-256 of the JSON: ${code(sha256)}`,
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function table(rows: readonly (readonly [string, string])[]): string {
  const shown = rows.filter(([, value]) => value !== '')
  return ['| | |', '|---|---|', ...shown.map(([name, value]) => `| ${name} | ${value.replaceAll('|', '\\|')} |`)].join(
    '\n',
  )
}

function timeOf({ time }: Proof): string {
  const wall = time.wallSeconds === null ? '' : `, ${time.wallSeconds} s`
  const cpu = time.cpuSeconds === null ? '' : ` (${time.cpuSeconds} s of processor)`
  return `${time.startedAt ?? time.createdAt} to ${time.endedAt ?? 'now'}${wall}${cpu}`
}

function costOf({ cost }: Proof): string {
  const total = cost.microUsd === null ? 'not told' : `$${(cost.microUsd / 1_000_000).toFixed(6)}`
  const tokens = cost.tokens === null ? '' : `, ${cost.tokens} tokens`
  const models = cost.models.map(({ model, calls }) => `${code(model)}${calls === null ? '' : ` (${calls} calls)`}`)
  return `${total}${tokens}${models.length === 0 ? '' : `, ${models.join(', ')}`}`
}

function gateOf({ step, verdict, checks }: Proof['gates'][number]): string {
  const lines = checks.map(({ name, passed, summary, evidence }) => {
    const where = evidence === null ? '' : ` (${code(evidence.name)}, ${code(evidence.sha256.slice(0, 12))})`
    // What was done has left evidence; conditions have neither that nor words.
    const state = !passed ? '**failed**' : evidence === null && summary !== '' ? 'not done' : 'passed'
    return `- ${state}: ${inline(name)}${summary === '' ? '' : `: ${inline(summary)}`}${where}`
  })
  return [`${code(step)}: ${verdict}`, ...lines].join('\n')
}

function approvals(proof: Proof): string[] {
  return proof.approvals.flatMap(({ step, state, by, comment, at, answers, message }) => {
    const head = `- ${code(step)} is ${state}${by === null ? '' : ` by ${code(by)}`}${at === null ? '' : ` at ${at}`}: ${inline(message)}`
    const words = comment === null ? [] : [`  - ${inline(comment)}`]
    const all =
      answers.length < 2
        ? words
        : answers.map(
            (one) =>
              `  - ${code(one.by)} at ${one.at}: ${one.decision}${one.comment === null ? '' : `, ${inline(one.comment)}`}`,
          )
    return [head, ...all]
  })
}

function questions(proof: Proof): string[] {
  return proof.questions.map(({ message, state, by, answer }) => {
    const said = answer === null ? state : `${inline(answer)}${by === null ? '' : `, by ${code(by)}`}`
    return `- asked: ${inline(message)} (${said})`
  })
}

function toolCalls({ toolCalls: calls }: Proof): string[] {
  const lines = calls.slice(0, mostToolCalls).map(({ at, tool, title, state, calls: count, durationMs }) => {
    const took = durationMs === null ? '' : `, ${durationMs} ms`
    return `- ${at} ${code(tool)} ${count === 1 ? state : `${count} calls`}${took}: ${inline(title)}`
  })
  return calls.length > mostToolCalls ? [...lines, `- and ${calls.length - mostToolCalls} more, in the JSON`] : lines
}

function mergeOf({ step, branch, state, from, to, reason }: Proof['merges'][number]): string {
  const moved = from === null || to === null ? '' : `, ${code(from.slice(0, 12))} to ${code(to.slice(0, 12))}`
  return `- ${code(step)}: ${code(branch)} is ${state}${moved}${reason === null ? '' : `: ${inline(reason)}`}`
}

function attemptOf({ attempt, outcome, agent, error }: Proof['attempts'][number]): string {
  return `- ${attempt}: ${outcome}${agent === null ? '' : ` by ${code(agent)}`}${error === null ? '' : `: ${inline(error.message)}`}`
}

/** Text of strangers on one line, in which nothing is markup. */
function inline(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return line.replaceAll(/[\\`*_{}[\]<>#|!&~]/g, (mark) => `\\${mark}`)
}

function code(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
  const fence = '`'.repeat(longestRun(line) + 1)
  return line.startsWith('`') || line.endsWith('`') ? `${fence} ${line} ${fence}` : `${fence}${line}${fence}`
}

function block(text: string, language = '', most = Number.POSITIVE_INFINITY): string {
  const plain = text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '').replace(/\n+$/, '')
  const lines = plain.split('\n')
  const shown =
    lines.length <= most ? plain : [`(${lines.length - most} lines before)`, ...lines.slice(-most)].join('\n')
  const fence = '`'.repeat(Math.max(3, longestRun(shown) + 1))
  return plain === '' ? '' : `${fence}${language}\n${shown}\n${fence}`
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0)
}
