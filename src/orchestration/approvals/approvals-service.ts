import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { setTimers, type TimerHandler } from '../../foundation/runtime/timers.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import { nextMove, widened } from './approval-plan-contract.ts'
import { approvalStates } from './approval-states-contract.ts'
import { type Answerer, isNamed, outcomeOf } from './approval-votes-contract.ts'
import type { ApprovalView } from './approvals-contract.ts'
import { approvalErrors } from './approvals-errors.ts'
import { approvalTimer, policyName } from './approvals-insert.ts'
import {
  type ApprovalRow,
  type GivenAnswer,
  insertAnswer,
  lockApprovals,
  ownersOf,
  votesOn,
} from './approvals-store.ts'
import { findApproval } from './approvals-view.ts'
import { changeOf, keepApproval } from './close-approval.ts'
import type { ReadKnownAs } from './read-known-as.ts'

export interface Answer extends Answerer {
  readonly comment: string | null
  readonly choice?: string | null
  readonly text?: string | null
}

export interface ApprovalsServiceOptions {
  readonly database: Database
  readonly queue: TaskQueue
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
  /** Roles and groups of a caller. Default: none. */
  readonly namesOf?: ReadKnownAs
  /** Locks the open tasks of runs; whoever changes tasks does so before it locks anything else of a run. */
  readonly lockTasks: (tx: Tx, runs: readonly { readonly tenant: TenantId; readonly runId: RunId }[]) => Promise<void>
}

/** Questions to people: asked by `approval` steps and by gates that call for a review. */
export class ApprovalsService {
  readonly #options: ApprovalsServiceOptions

  constructor(options: ApprovalsServiceOptions) {
    this.#options = options
  }

  /**
   * @throws approval-not-found, approval-not-yours, approval-own-run, approval-answered, approval-answer-invalid,
   * illegal-transition where it has ended
   */
  async answer(tenant: TenantId, id: string, decision: 'approve' | 'reject', answer: Answer): Promise<ApprovalView> {
    const { database, dispatch, namesOf } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const [row] = await this.#lock(tx, [{ tenant, id }])
      if (row === undefined) throw approvalErrors['approval-not-found'](`there is no approval ${id}`)
      refuseStranger(row, { ...answer, ...(await namesOf?.(tx, tenant, answer.by)) })
      // Named by the state it is in, before anything else is found wrong with the answer.
      transition(approvalStates, `approval ${id}`, row.state, decision)
      const given = givenOf(row, decision, answer)
      const votes = await votesOn(tx, tenant, id)
      if (votes.some(({ by }) => by === answer.by)) {
        throw approvalErrors['approval-answered'](`${answer.by} has answered ${id} already`)
      }
      await insertAnswer(tx, row, given, now)
      const outcome = outcomeOf([...votes, given], row.rules)
      if (outcome === null) await keepApproval(tx, row, { event: 'vote', given }, now)
      else await dispatch(tx, await this.#end(tx, row, { event: outcome, given }, now), now)
      return (await findApproval(tx, tenant, id))!
    })
  }

  /** Does what time asks for: the policy's answer, further people, or the default. Restarts and replicas change nothing. */
  readonly deadlines: TimerHandler = async (tx, timers, now) => {
    const shards: Shard[] = []
    const rows = await this.#lock(
      tx,
      timers.map(({ tenant, subjectId }) => ({ tenant, id: subjectId })),
    )
    const byPolicy = new Map(timers.map((timer) => [`${timer.tenant}/${timer.subjectId}`, timer.data?.reason]))
    for (const row of rows.filter(({ state }) => state === 'pending')) {
      const reason = byPolicy.get(`${row.tenant}/${row.id}`)
      if (typeof reason === 'string') {
        const given = { by: policyName, decision: 'approve', choice: null, text: null, comment: reason } as const
        shards.push(...(await this.#end(tx, row, { event: 'approve', given }, now)))
      } else shards.push(...(await this.#move(tx, row, now)))
    }
    await this.#options.dispatch(tx, shards, now)
  }

  async #move(tx: Tx, row: ApprovalRow, now: Date): Promise<readonly Shard[]> {
    const move = nextMove(row, now)
    if (move.kind === 'wait') {
      if (move.until !== null) await setTimers(tx, [approvalTimer(row, move.until)])
      return []
    }
    if (move.kind === 'escalate') {
      const { to, level, deadlineAt } = move
      const next = { ...row, who: widened(row.who, to), level, deadlineAt }
      await keepApproval(tx, next, { event: 'escalate', to }, now)
      return this.#move(tx, { ...next, rev: row.rev + 1 }, now)
    }
    const { decision, choice } = move
    const given = { by: 'deadline', decision, choice, text: null, comment: null }
    return this.#end(tx, row, { event: 'expire', given }, now)
  }

  async #end(
    tx: Tx,
    row: ApprovalRow,
    end: { readonly event: 'approve' | 'reject' | 'expire'; readonly given: GivenAnswer },
    now: Date,
  ): Promise<readonly Shard[]> {
    await keepApproval(tx, row, end, now)
    return (await this.#options.queue.change(tx, [changeOf(row, end)], now)).shards
  }

  /** Tasks before approvals: whoever cancels a run goes the same way. */
  async #lock(
    tx: Tx,
    refs: readonly { readonly tenant: TenantId; readonly id: string }[],
  ): Promise<readonly ApprovalRow[]> {
    await this.#options.lockTasks(tx, await ownersOf(tx, refs))
    return lockApprovals(tx, refs)
  }
}

function refuseStranger(row: ApprovalRow, answerer: Answerer): void {
  if (!isNamed(row.who, answerer)) {
    throw approvalErrors['approval-not-yours'](`approval ${row.id} is for ${row.who.join(', ')}`)
  }
  if (!row.rules.requesterMayApprove && row.requesters.includes(answerer.by)) {
    throw approvalErrors['approval-own-run'](`${answerer.by} has started ${row.runId}, and somebody else must answer`)
  }
}

/** Where there are choices, one is made, or words are given where they are an answer. */
function givenOf({ rules, id }: ApprovalRow, decision: 'approve' | 'reject', answer: Answer): GivenAnswer {
  const { by, comment, choice = null, text = null } = answer
  const isQuestion = rules.choices.length > 0 || rules.freeText
  const known = rules.choices.map((each) => each.id).join(', ')
  if (choice !== null && !rules.choices.some((each) => each.id === choice)) {
    throw approvalErrors['approval-answer-invalid'](
      `${JSON.stringify(choice)} is no choice of ${id}: ${known || 'it has none'}`,
    )
  }
  if (text !== null && !rules.freeText) {
    throw approvalErrors['approval-answer-invalid'](`${id} takes no free words; say why in the comment`)
  }
  if (decision === 'approve' && isQuestion && choice === null && text === null) {
    throw approvalErrors['approval-answer-invalid'](`${id} asks for ${known || 'words'}`)
  }
  return { by, decision, comment, choice, text }
}
