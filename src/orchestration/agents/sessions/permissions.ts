import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { ToolKind, ToolPermission, ToolPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { AskChoice } from '../ask-contract.ts'
import type { SessionContext } from './agent-session.ts'

/** Something an agent wants to do. */
export interface WantedAction {
  /** Names it within the attempt. */
  readonly key: string
  readonly kind: ToolKind
  /** Name of the tool, where it has one: policies may name it. */
  readonly tool?: string
  /** What people read. */
  readonly title: string
  /** It touches something outside the worktree. */
  readonly outside: boolean
  readonly details: JsonObject
  /** The answers that the agent itself offers. Default: allow once, allow from now on, refuse. */
  readonly choices?: readonly AskChoice[]
}

export interface Verdict {
  readonly allowed: boolean
  /** For the rest of the attempt. */
  readonly always: boolean
  /** Of the answers on offer, where people gave one. */
  readonly choice: string | null
  /** `policy`, `deadline`, or who answered. */
  readonly by: string
  readonly reason: string | null
}

export interface Permissions {
  decide(action: WantedAction): Promise<Verdict>
}

const usualChoices: readonly AskChoice[] = [
  { id: 'allow-once', label: 'allow it', meaning: 'allow-once' },
  { id: 'allow-always', label: 'allow this kind until the attempt ends', meaning: 'allow-always' },
  { id: 'reject-once', label: 'refuse it', meaning: 'reject-once' },
]

/** How much is at stake, 0 to 1, for policies that decide by risk. */
const risks: Readonly<Record<ToolKind, number>> = {
  ...{ read: 0.1, search: 0.1, think: 0, edit: 0.3, move: 0.4, delete: 0.6 },
  ...{ execute: 0.7, fetch: 0.5, switch_mode: 0.8, other: 0.6 },
}

/**
 * Answers what an agent wants to do: by the policy of its pool, or by people where that says `ask`. What leads out of the
 * worktree is refused without a question. People may allow a kind for the rest of the attempt.
 */
export function createPermissions(
  rules: ToolPermissions,
  context: SessionContext,
  deadlineMs: number | null,
  /** The kinds that its persona keeps to; null: all that the rules allow. */
  only: readonly string[] | null = null,
): Permissions {
  const always = new Set<string>()
  return {
    async decide(action) {
      const name = action.tool ?? action.kind
      if (action.outside) {
        return { ...refused, reason: 'it leads out of the worktree' }
      }
      if (only !== null && !only.includes(action.kind)) {
        return { ...refused, always: true, reason: `its persona keeps to ${only.join(', ')}` }
      }
      const rule = ruleFor(rules, action)
      if (rule === 'allow' || always.has(name)) {
        return { allowed: true, always: false, choice: null, by: 'policy', reason: null }
      }
      if (rule === 'off') return { ...refused, always: true, reason: `the pool does not allow ${name}` }
      const choices = action.choices ?? usualChoices
      await context.note(`asks people: may it ${words[action.kind]}? ${action.title}`)
      const answer = await context.ask({
        key: action.key,
        kind: 'permission',
        message: `May it ${words[action.kind]}? ${action.title}`,
        choices,
        freeText: false,
        defaultChoice: choices.find(({ meaning }) => meaning === 'reject-once')?.id ?? null,
        deadlineMs,
        risk: risks[action.kind],
        details: { ...action.details, kind: action.kind, ...(action.tool === undefined ? {} : { tool: action.tool }) },
      })
      const meaning = choices.find(({ id }) => id === answer.choice)?.meaning
      const allowed = meaning === 'allow-once' || meaning === 'allow-always'
      if (meaning === 'allow-always') always.add(name)
      const reason = allowed ? null : answer.expired ? 'nobody answered in time' : (answer.text ?? 'it was refused')
      const forGood = meaning === 'allow-always' || meaning === 'reject-always'
      return { allowed, always: forGood, choice: answer.choice, by: answer.by, reason }
    },
  }
}

const refused = { allowed: false, always: false, choice: null, by: 'policy' } as const

/** A rule for the tool itself goes before one for its kind. */
function ruleFor(rules: ToolPermissions, { tool, kind }: WantedAction): ToolPermission {
  if (tool !== undefined && Object.hasOwn(rules.tools, tool)) return rules.tools[tool]!
  return rules.kinds[kind]
}

const words: Readonly<Record<ToolKind, string>> = {
  ...{ read: 'read', search: 'search', think: 'think', edit: 'edit files', move: 'move files', delete: 'delete files' },
  ...{ execute: 'run a command', fetch: 'fetch from the network', switch_mode: 'change its mode', other: 'do this' },
}

/** The kinds of tools that the persona of a task keeps to; null: it has none, or says nothing. */
export function personaTools({ spec }: Assignment): readonly string[] | null {
  return spec.kind === 'agent' ? (spec.tools ?? null) : null
}
