import type { ContentBlock, SessionUpdate, ToolCallLocation } from '@agentclientprotocol/sdk'
import { type ToolKind, toolKinds } from '../../../foundation/platform/config/agent-kinds.ts'
import type { StartedCall } from '../../tool-calls/tool-journal.ts'

/** The words of a piece of content; what is no text is named. */
export function textOf(content: ContentBlock): string {
  if (content.type === 'text') return content.text
  return content.type === 'resource_link' ? content.uri : `[${content.type}]`
}

/** An update as a line of the log; null: it is of no interest to readers. */
export function lineOf(update: SessionUpdate): string | null {
  switch (update.sessionUpdate) {
    case 'tool_call':
      return `tool ${update.kind ?? 'other'}: ${update.title}${placesOf(update.locations)}`
    case 'tool_call_update':
      if (update.status !== 'completed' && update.status !== 'failed') return null
      return `tool ${update.status}: ${update.title ?? update.toolCallId}`
    case 'plan':
      return `plan: ${update.entries.map(({ content, status }) => `[${status}] ${content}`).join('; ')}`
    case 'current_mode_update':
      return `mode: ${update.currentModeId}`
    default:
      return null
  }
}

/** A call as it is told. The text of a call is a stranger's; what it works on is not told. */
export function startedCallOf(call: {
  readonly name?: string | null
  readonly kind?: unknown
  readonly title?: string | null
}): StartedCall {
  const kind = kindOf(call.kind)
  return { tool: call.name || kind, kind, title: call.title ?? '' }
}

export function kindOf(kind: unknown): ToolKind {
  return toolKinds.find((known) => known === kind) ?? 'other'
}

function placesOf(locations: readonly ToolCallLocation[] | null | undefined): string {
  const paths = (locations ?? []).slice(0, 5).map(({ path }) => path)
  return paths.length === 0 ? '' : ` (${paths.join(', ')})`
}
