import type { Client } from '../client/client.ts'
import { runLogs, showRun } from '../orchestration/runs/run-endpoints-contract.ts'
import { cliErrors } from './cli-errors.ts'
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
    if (options.step !== undefined || options.task !== undefined) await findNamed(client, id, options)
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

/** A name that is not there would otherwise look like a step that printed nothing. */
async function findNamed(client: Client, id: string, { step, task }: LogOptions): Promise<void> {
  const { steps, tasks } = await client.call(showRun, { params: { id } })
  if (step !== undefined && !steps.some((each) => each.id === step)) {
    const known = steps.map((each) => each.id).join(', ')
    throw cliErrors['step-not-in-run'](`${id} has no step ${step}; it has ${known}`)
  }
  // A run shows some of its tasks only; an id of another form is none at any rate.
  if (task !== undefined && !tasks.some((each) => each.id === task) && !task.startsWith('task_')) {
    throw cliErrors['step-not-in-run'](`${id} has no task ${task}`)
  }
}

function only({ step, task }: LogOptions): { step?: string; task?: string } {
  return { ...(step === undefined ? {} : { step }), ...(task === undefined ? {} : { task }) }
}

function shown(text: string, isError: boolean, paint: (text: string) => string): string {
  return isError ? paint(printable(text)) : printable(text)
}
