import type { AgentKind } from './agent-kinds.ts'
import { type FunctionAgentSettings, shapeFunctionAgent } from './function-agent.ts'
import { type HttpAgentSettings, shapeHttpAgent } from './http-agent.ts'
import { type LlmAgentSettings, shapeLlmAgent } from './llm-agent.ts'

/** Kinds of agents that are no program of somebody else: services, modules of the project, models with tools of ours. */
export const ownKinds = ['http', 'function', 'llm'] as const
export type OwnAgentSettings = HttpAgentSettings | FunctionAgentSettings | LlmAgentSettings

interface OwnPool {
  readonly http?: Parameters<typeof shapeHttpAgent>[0] | undefined
  readonly function?: Parameters<typeof shapeFunctionAgent>[0] | undefined
  readonly llm?: Parameters<typeof shapeLlmAgent>[0] | undefined
  readonly tools?: object | undefined
  readonly models?: boolean | readonly string[] | undefined
}

const expected = {
  http: 'expected `url`: where tasks are sent to',
  function: 'expected `module`: a TypeScript file of the project',
  llm: 'expected `model`: a name that the gateway knows',
} as const

export function isOwnKind(kind: AgentKind): kind is (typeof ownKinds)[number] {
  return ownKinds.some((own) => own === kind)
}

/** Agents without a program of ours to start. */
export function hasNoCommand(kind: AgentKind): boolean {
  return kind === 'a2a' || isOwnKind(kind)
}

export function shapeOwnAgent(
  kind: (typeof ownKinds)[number],
  pool: OwnPool,
  complain: (place: readonly string[], text: string) => void,
): OwnAgentSettings | null {
  if (pool[kind] === undefined) {
    complain([kind], expected[kind])
    return null
  }
  if (kind !== 'llm' && pool.tools !== undefined)
    complain(['tools'], `agents of the kind ${kind} call no tools of ours`)
  if (kind === 'http') return shapeHttpAgent(pool.http!)
  if (kind === 'function') return shapeFunctionAgent(pool.function!)
  if (pool.models === false) complain(['models'], 'a model is called through the gateway, with a key for each attempt')
  return shapeLlmAgent(pool.llm!)
}

/** The models that a pool gets keys for: those it names; of a model with tools, at least its own. Null: none, empty: all. */
export function shapeModels(kind: AgentKind, { models, llm }: OwnPool): readonly string[] | null {
  if (models === undefined && kind === 'llm' && llm !== undefined) return [llm.model]
  return models === undefined || models === false ? null : models === true ? [] : models
}
