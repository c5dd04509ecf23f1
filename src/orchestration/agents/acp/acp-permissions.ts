import type { RequestPermissionRequest, RequestPermissionResponse, ToolCallUpdate } from '@agentclientprotocol/sdk'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { ToolKind } from '../../../foundation/platform/config/agent-kinds.ts'
import type { AskChoice } from '../ask-contract.ts'
import type { PathGuard } from '../sessions/path-guard.ts'
import type { Verdict, WantedAction } from '../sessions/permissions.ts'
import { kindOf } from './acp-text.ts'

const largestDetails = 32_768
const cancelled: RequestPermissionResponse = { outcome: { outcome: 'cancelled' } }

const meanings = {
  allow_once: 'allow-once',
  allow_always: 'allow-always',
  reject_once: 'reject-once',
  reject_always: 'reject-always',
} as const

/** A request for permission, as the policy and people see it. */
export async function wantedBy(request: RequestPermissionRequest, guard: PathGuard): Promise<WantedAction> {
  const { toolCall } = request
  const choices = request.options.slice(0, 20).map(
    (option): AskChoice => ({
      id: option.optionId,
      label: option.name,
      ...(Object.hasOwn(meanings, option.kind) ? { meaning: meanings[option.kind] } : {}),
    }),
  )
  return {
    key: `${request.sessionId}/${toolCall.toolCallId}`.slice(0, 200),
    kind: kindOf(toolCall.kind),
    ...(toolCall.name ? { tool: toolCall.name } : {}),
    title: (toolCall.title ?? 'it does not say what').slice(0, 2_000),
    outside: changesFiles(kindOf(toolCall.kind)) && (await leadsOut(toolCall, guard)),
    details: detailsOf(toolCall),
    choices,
  }
}

/** The answer in the words of the protocol: one of the options that the agent offered. */
export function outcomeOf(request: RequestPermissionRequest, verdict: Verdict): RequestPermissionResponse {
  const chosen = request.options.find(({ optionId }) => optionId === verdict.choice)
  const kinds = verdict.allowed
    ? (['allow_once', 'allow_always'] as const)
    : (['reject_once', 'reject_always'] as const)
  const option = chosen ?? kinds.map((kind) => request.options.find((each) => each.kind === kind)).find(Boolean)
  return option === undefined ? cancelled : { outcome: { outcome: 'selected', optionId: option.optionId } }
}

export function changesFiles(kind: ToolKind): boolean {
  return kind === 'edit' || kind === 'delete' || kind === 'move'
}

/** Whether any of the places that a tool call names lies outside the worktree. */
export async function leadsOut(toolCall: ToolCallUpdate, guard: PathGuard): Promise<boolean> {
  const diffs = (toolCall.content ?? []).flatMap((each) => (each.type === 'diff' ? [each.path] : []))
  const places = [...(toolCall.locations ?? []).map(({ path }) => path), ...diffs]
  for (const path of places.slice(0, 100)) {
    const inside = await guard.inside(path).then(
      () => true,
      () => false,
    )
    if (!inside) return true
  }
  return places.length > 100
}

function detailsOf(toolCall: ToolCallUpdate): JsonObject {
  const paths = (toolCall.locations ?? []).slice(0, 50).map(({ path }) => path)
  const input = toolCall.rawInput === undefined ? undefined : JSON.stringify(toolCall.rawInput)
  return {
    toolCallId: toolCall.toolCallId,
    ...(paths.length === 0 ? {} : { paths }),
    ...(input === undefined || input.length > largestDetails ? {} : { input: JSON.parse(input) as JsonValue }),
  }
}
