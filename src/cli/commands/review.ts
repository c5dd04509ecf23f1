import { createInterface } from 'node:readline/promises'
import { Option } from 'commander'
import type { Client } from '../../client/client.ts'
import { type ApprovalView, listApprovals } from '../../orchestration/approvals/approvals-contract.ts'
import { type NamedProof, runProofs } from '../../orchestration/proofs/proof-contract.ts'
import { showRun } from '../../orchestration/runs/run-endpoints-contract.ts'
import type { RunDetail } from '../../orchestration/runs/runs-contract.ts'
import { approvalLines } from '../approval-lines.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { askAbout, give, type Prompt } from '../review/answer-approvals.ts'
import { proofLines } from '../review/proof-lines.ts'
import { oneLine } from '../text.ts'

export const review: CliCommand = {
  configure(command, act) {
    command
      .argument('<run>')
      .option('--task <task>', 'only this task, by its id or its step, with its diff and what was printed')
      .option('--diff', 'show diffs and what was printed')
      .addOption(new Option('--approve', 'answer yes to what the run waits for').conflicts('reject'))
      .option('--reject', 'answer no to what the run waits for')
      .option('--comment <text>', 'kept with the answer')
      .action(act(show))
  },
}

interface ReviewOptions {
  readonly task?: string
  readonly diff?: boolean
  readonly approve?: boolean
  readonly reject?: boolean
  readonly comment?: string
}

async function show(context: CliContext, id: string, options: ReviewOptions): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client, embedded }) => {
    const detail = await client.call(showRun, { params: { id } })
    const { items, more } = await proofsOf(client, detail, options.task)
    const { items: pending } = await client.call(listApprovals, { query: { run: id, state: 'pending' } })
    for (const item of items) out.document(item)
    for (const item of pending) out.document(item)
    const { colors } = out
    const full = options.task !== undefined || options.diff === true
    out.lines(`${colors.bold(id)}  ${oneLine(detail.run.workflow)}  ${detail.run.state}`)
    if (items.length === 0)
      out.lines('no task of it, or of a run that it called, has left a commit; --task STEP shows any task')
    for (const item of items) out.lines('', ...proofLines(item, { colors, full }))
    if (more > 0) out.lines('', `and ${more} more; --task shows each`)
    const answered = await answer(context, client, pending, options, () => {
      for (const item of items) out.lines('', ...proofLines(item, { colors, full: true }))
    })
    if (embedded && answered.some(({ state }) => state !== 'pending')) {
      out.note(`${colors.cyan('next')}  leanvibe orchestrate --resume ${id}   no server runs that would go on with it`)
    }
  })
}

async function proofsOf(
  client: Client,
  { run, tasks }: RunDetail,
  wanted: string | undefined,
): Promise<{ readonly items: readonly NamedProof[]; readonly more: number }> {
  const all = () => client.call(runProofs, { params: { id: run.id }, query: {} })
  if (wanted === undefined) return all()
  const named = tasks.filter((task) => task.id === wanted || task.step === wanted || nameOf(task) === wanted)
  if (named.length === 0) {
    // Of a run that it called, perhaps.
    const { items } = await all()
    const called = items.filter(
      ({ proof: { task } }) => task.id === wanted || nameOf(task) === wanted || task.step === wanted,
    )
    if (called.length > 0) return { items: called, more: 0 }
    const known = [...new Set(tasks.map(({ step }) => step))].join(', ')
    throw cliErrors['task-unknown'](`${run.id} has no task ${oneLine(wanted)}; its steps are ${known}`)
  }
  const items: NamedProof[] = []
  for (const { id } of named.slice(0, mostTasks)) {
    items.push(...(await client.call(runProofs, { params: { id: run.id }, query: { task: id } })).items)
  }
  return { items, more: Math.max(0, named.length - mostTasks) }
}

const mostTasks = 50

function nameOf({ step, item }: { readonly step: string; readonly item: number | null }): string {
  return item === null ? step : `${step}[${item}]`
}

/** By what was said on the command line, or by the person at the terminal; else it only tells what the run waits for. */
async function answer(
  context: CliContext,
  client: Client,
  pending: readonly ApprovalView[],
  options: ReviewOptions,
  showDiff: () => void,
): Promise<readonly ApprovalView[]> {
  const { out } = context
  const decision = options.approve === true ? 'approve' : options.reject === true ? 'reject' : null
  if (decision !== null) {
    const [item, ...others] = pending
    if (item === undefined || others.length > 0) {
      const ids = pending.map(({ id }) => id).join(', ')
      throw cliErrors['approval-unclear'](item === undefined ? 'the run waits for no approval' : `it waits for ${ids}`)
    }
    const after = await give(client, item, { decision, comment: options.comment })
    out.document(after)
    out.lines('', `${out.colors.green('✔')} ${after.id} is ${after.state}`)
    return [after]
  }
  const isPerson = out.isTerminal && (context.stdin as { isTTY?: boolean }).isTTY === true
  if (pending.length === 0 || !isPerson) {
    for (const item of pending) out.lines('', 'waits for', ...approvalLines(item, out.colors))
    return []
  }
  const terminal = createInterface({ input: context.stdin, output: out.stdout })
  const closed = new AbortController()
  terminal.once('close', () => closed.abort())
  const prompt: Prompt = (question) =>
    closed.signal.aborted
      ? Promise.resolve(null)
      : terminal.question(question, { signal: closed.signal }).catch(() => null)
  try {
    return await askAbout(pending, { client, out, prompt, showDiff })
  } finally {
    terminal.close()
  }
}
