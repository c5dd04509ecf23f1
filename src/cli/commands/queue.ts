import { formatDuration } from '../../foundation/kernel/units.ts'
import { type QueueView, showQueue } from '../../orchestration/runs/queue-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'

export const queue: CliCommand = {
  configure(command, act) {
    command
      .command('show', { isDefault: true })
      .description(
        'show open tasks by pool and state, what those that wait are waiting for, and why ready ones have no agent',
      )
      .action(act(show))
  },
}

async function show(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const figures = await client.call(showQueue)
    out.document(figures)
    out.lines(...queueLines(figures))
  })
}

function queueLines({ at, items, reasons, unserved }: QueueView): string[] {
  if (items.length === 0) return ['the queue is empty']
  const rows = items.map((item) => [
    oneLine(item.pool, 40),
    `${item.count}${item.atLeast ? '+' : ''} ${item.state}`,
    `oldest ${formatDuration(Math.max(0, Date.parse(at) - Date.parse(item.oldestAt)))}`,
  ])
  return [...table(rows), ...reasonLines('waiting for', reasons), ...reasonLines('ready, but', unserved)]
}

function reasonLines(title: string, reasons: QueueView['reasons']): string[] {
  if (reasons.length === 0) return []
  const rows = reasons.map((item) => ['', oneLine(item.pool, 40), String(item.count), oneLine(item.reason, 200)])
  return [title, ...table(rows)]
}
