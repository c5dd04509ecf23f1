import { formatDuration } from '../../foundation/kernel/units.ts'
import { type QueueView, showQueue } from '../../orchestration/runs/queue-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'

export const queue: CliCommand = {
  configure(command, act) {
    command
      .command('show', { isDefault: true })
      .description('show open tasks by pool and state, and what those that wait are waiting for')
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

function queueLines({ at, items, reasons }: QueueView): string[] {
  if (items.length === 0) return ['the queue is empty']
  const rows = items.map((item) => [
    oneLine(item.pool, 40),
    `${item.count}${item.atLeast ? '+' : ''} ${item.state}`,
    `oldest ${formatDuration(Math.max(0, Date.parse(at) - Date.parse(item.oldestAt)))}`,
  ])
  const waits = reasons.map((item) => ['', oneLine(item.pool, 40), String(item.count), oneLine(item.reason, 100)])
  return [...table(rows), ...(waits.length === 0 ? [] : ['waiting for', ...table(waits)])]
}
