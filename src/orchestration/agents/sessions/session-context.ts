import type { Assignment } from '../../runners/exchange-contract.ts'
import type { ToolJournal } from '../../tool-calls/tool-journal.ts'
import type { AttemptContext } from '../agent-adapter.ts'
import type { AskAnswer, AskPort } from '../ask-contract.ts'
import type { StdoutCapture } from '../stdout-capture.ts'
import type { SessionContext, SessionQuestion } from './agent-session.ts'

const longestMessage = 4_000
/** Questions that one attempt may have open at a time. An agent that asks more is answered by their defaults. */
const mostOpen = 16
/** Who waits for people is not idle; told often enough for any lease. */
const waitingEveryMs = 1_000

/** Where nobody wants to know. */
export const noToolJournal: ToolJournal = { started() {}, ended() {}, close: async () => {} }

/** What a session gets of its attempt: masked, bounded, and alive while people think. */
export function createSessionContext(
  assignment: Assignment,
  attempt: AttemptContext,
  port: AskPort,
  stdout: StdoutCapture,
  tools: ToolJournal = noToolJournal,
): { readonly context: SessionContext; readonly settled: () => Promise<void> } {
  const { tenant, runId, taskId, step, fence } = assignment
  const { masker, signal } = attempt
  let open = 0
  /** Words are kept in the order in which they came. */
  let kept: Promise<void> = Promise.resolve()

  async function ask(question: SessionQuestion): Promise<AskAnswer> {
    signal.throwIfAborted()
    if (open >= mostOpen) return { choice: question.defaultChoice, text: null, by: 'policy', expired: true }
    open += 1
    const message = plain(masker.text(question.message)).slice(0, longestMessage)
    const waiting = () => attempt.progress(`waits for an answer: ${message.slice(0, 200)}`)
    waiting()
    const timer = setInterval(waiting, waitingEveryMs)
    try {
      const choices = question.choices.map((choice) => ({ ...choice, label: plain(masker.text(choice.label)) }))
      const details = masker.json(question.details)
      return await port.ask({ ...question, tenant, runId, taskId, step, fence, message, choices, details }, signal)
    } finally {
      clearInterval(timer)
      open -= 1
    }
  }

  function keep(bytes: Buffer): Promise<void> {
    kept = kept.then(() => stdout.write(bytes))
    kept.catch(() => {})
    return kept
  }

  const context: SessionContext = {
    signal,
    get ending() {
      return attempt.ending ?? null
    },
    workdir: attempt.workdir,
    outdir: attempt.outdir,
    tempdir: attempt.tempdir,
    tree: attempt.tree,
    env: attempt.env,
    config: attempt.config,
    masker,
    tools,
    progress: (note) => attempt.progress(note),
    log: (stream, chunk) => attempt.log(stream, chunk),
    say(text) {
      attempt.progress()
      const bytes = Buffer.from(text)
      return Promise.all([attempt.log('stdout', bytes), keep(bytes)]).then(() => {})
    },
    answer: (text) => keep(Buffer.from(text)),
    note(line) {
      attempt.progress()
      return attempt.log('stderr', Buffer.from(`${plain(line).slice(0, longestMessage)}\n`))
    },
    ask,
  }
  return { context, settled: () => kept }
}

/** Text of strangers on one line: without control characters. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').trim()
}
