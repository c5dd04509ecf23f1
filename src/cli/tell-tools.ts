import { formatDuration } from '../foundation/kernel/units.ts'
import type { ToolCallView, ToolUse } from '../orchestration/tool-calls/tool-calls-contract.ts'
import type { Output } from './output.ts'
import { oneLine, printable, table } from './text.ts'

const mostRows = 20

/** Which tools the agents of a run have used; nothing where they told of none. */
export function tellToolUse(out: Output, items: readonly ToolUse[]): void {
  if (items.length === 0) return
  const calls = items.reduce((sum, item) => sum + item.calls, 0)
  const rows = items
    .slice(0, mostRows)
    .map((item) => [
      `  ${oneLine(item.step, 40)}`,
      printable(item.tool),
      `${item.calls} ${item.calls === 1 ? 'call' : 'calls'}`,
      out.colors.dim(item.durationMs === 0 ? '' : formatDuration(item.durationMs)),
      [counted(item.failed, 'failed'), counted(item.refused, 'refused')].filter(Boolean).join(', '),
    ])
  out.lines('', `tools: ${calls} ${calls === 1 ? 'call' : 'calls'}`, ...table(rows))
  if (items.length > mostRows) out.lines(out.colors.dim(`  and ${items.length - mostRows} more`))
}

/** Calls one by one, the oldest first. */
export function tellToolCalls(out: Output, calls: readonly ToolCallView[]): void {
  for (const call of calls) out.document(call)
  if (calls.length === 0) out.lines('no agent has told of a tool call')
  out.lines(
    ...table(
      calls
        .toReversed()
        .map((call) => [
          call.startedAt.slice(11, 19),
          oneLine(call.item === null ? call.step : `${call.step}[${call.item}]`, 40),
          printable(call.tool),
          call.state === 'gathered' ? `${call.calls} calls` : call.state,
          out.colors.dim(call.durationMs === null ? '' : formatDuration(call.durationMs)),
          oneLine(call.title, 100),
        ]),
    ),
  )
}

function counted(count: number, what: string): string {
  return count === 0 ? '' : `${count} ${what}`
}
