import { runLogs } from '../orchestration/runs/run-endpoints-contract.ts'
import type { CliContext } from './command.ts'
import { withConnection } from './connect.ts'
import { oneLine, printable } from './text.ts'

interface LogOptions {
  readonly follow?: boolean
  readonly step?: string
  readonly task?: string
}

/** Prints the logs of a run, each line behind the step it came from. */
export async function printLogs(context: CliContext, id: string, options: LogOptions): Promise<void> {
  const { out, interrupts } = context
  await withConnection(context, { work: options.follow === true }, async ({ client }) => {
    const query = { ...(options.follow ? { follow: 'true' } : {}), ...only(options) }
    const rest = new Map<string, string>()
    for await (const line of client.lines(runLogs, { params: { id }, query, signal: interrupts.signal })) {
      out.document(line)
      const name = line.item === null ? line.step : `${line.step}#${line.item}`
      const head = `${out.colors.dim(`${oneLine(name, 40)} │`)} `
      // What was printed arrives in pieces that need not end where a line does.
      const key = `${line.taskId} ${line.stream}`
      const pieces = ((rest.get(key) ?? '') + line.text).split(/\r?\n/)
      rest.set(key, pieces.pop() ?? '')
      out.lines(...pieces.map((piece) => head + shown(piece, line.stream === 'stderr', out.colors.yellow)))
    }
    for (const [key, text] of rest) if (text !== '') out.lines(shown(text, key.endsWith('stderr'), out.colors.yellow))
  })
}

function only({ step, task }: LogOptions): { step?: string; task?: string } {
  return { ...(step === undefined ? {} : { step }), ...(task === undefined ? {} : { task }) }
}

function shown(text: string, isError: boolean, paint: (text: string) => string): string {
  return isError ? paint(printable(text)) : printable(text)
}
