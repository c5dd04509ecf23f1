import { Option } from 'commander'
import { resumeRun, showRun, startRun } from '../../orchestration/runs/run-endpoints-contract.ts'
import type { StartRun } from '../../orchestration/runs/runs-contract.ts'
import { depthSchema } from '../../orchestration/workflows/policies-contract.ts'
import type { Depth } from '../../orchestration/workflows/workflow-contract.ts'
import { showWorkflow } from '../../orchestration/workflows/workflow-endpoints-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { type Connection, load } from '../connect.ts'
import { usageError } from '../failure.ts'
import { keyValue, wholeNumber } from '../parse-options.ts'
import { performRun } from '../perform-run.ts'
import { repositoryPath } from '../remote-server.ts'
import { typedInputs } from '../typed-inputs.ts'
import { validateWord } from '../validate-word.ts'
import { findWanted, type Wanted } from '../workflow-source.ts'

interface Options {
  readonly workflow?: string
  readonly repo?: string
  readonly agents?: number
  readonly parallel?: number
  readonly input?: Readonly<Record<string, string>>
  readonly depth?: Depth
  readonly out?: string
  readonly validate?: boolean
  readonly detach?: boolean
  readonly resume?: string
}

export const orchestrate: CliCommand = {
  configure(command, act) {
    command
      .argument('[workflow]', 'name of a workflow, or a file in YAML, TypeScript or JavaScript')
      .option('--workflow <name>', 'the same as the argument')
      .option('--repo <folder>', 'the git repository to work on')
      .option('--agents <n>', 'local agents to start (where this call starts the platform)', wholeNumber)
      .option('--parallel <n>', 'most tasks of the run at a time', wholeNumber)
      .option('--input <name=value>', 'an input of the workflow; may be repeated', keyValue)
      .addOption(
        new Option('--depth <depth>', 'of all agents of the run: tier of models, time, budget, reviewers').choices(
          depthSchema.options,
        ),
      )
      .option('--out <folder>', 'where the results are copied to')
      .option('--validate', 'only check the workflow and its inputs')
      .option('--detach', 'start it, print its id, and leave it to a server in the background')
      .option('--resume <run>', 'go on with a run, for example after a crash')
      .action(act(run))
  },
}

async function run(context: CliContext, word: string | undefined, options: Options): Promise<number> {
  const wanted = wordOf(word, options)
  if (options.validate) return validate(context, wanted, options)
  return performRun(context, { ...options, flags: { agents: options.agents } }, (connection) =>
    options.resume === undefined ? start(context, connection, wanted!, options) : resume(connection, options.resume),
  )
}

function wordOf(word: string | undefined, { workflow, resume, depth, validate: check }: Options): string | null {
  if (word !== undefined && workflow !== undefined && word !== workflow)
    throw usageError('the workflow is named twice, and differently')
  const named = (word ?? workflow)?.trim() || null
  if (resume !== undefined && (named !== null || check))
    throw usageError('--resume goes on with a run as it is: it takes no workflow')
  if (resume !== undefined && depth !== undefined) throw usageError('--resume keeps the depth of the run')
  if (resume === undefined && named === null) throw usageError('expected a workflow: a name, or a file')
  return named
}

async function validate(context: CliContext, word: string | null, options: Options): Promise<number> {
  const { config } = await load(context)
  return validateWord(context, word!, config, options.input ?? {})
}

async function start(context: CliContext, connection: Connection, word: string, options: Options): Promise<string> {
  const { cwd, interrupts } = context
  const wanted = await findWanted(word, { cwd, config: connection.loaded.config, signal: interrupts.signal })
  if (options.repo === undefined) await refuseWithoutRepository(connection, wanted)
  const body: StartRun = {
    ...('source' in wanted ? { source: wanted.source } : { workflow: wanted.name }),
    inputs: (await typedInputs(connection, wanted, options.input)) as Record<string, never>,
    ...(options.repo === undefined ? {} : { repo: repositoryPath(context, options.repo) }),
    ...(options.parallel === undefined ? {} : { parallel: options.parallel }),
    ...(options.depth === undefined ? {} : { depth: options.depth }),
  }
  const run = await connection.client.call(startRun, { body, signal: context.interrupts.signal })
  return run.id
}

/** Before anything starts: what the steps would say is of little help. */
async function refuseWithoutRepository({ client }: Connection, wanted: Wanted): Promise<void> {
  const { repositoryUsersIn } = await import('../../app/definitions.ts')
  const name = 'source' in wanted ? wanted.source.fileName : wanted.name
  const source =
    'source' in wanted
      ? wanted.source
      : { text: (await client.call(showWorkflow, { params: { name } })).source, fileName: name }
  const users = repositoryUsersIn(source)
  if (users.length === 0) return
  const shown = users.slice(0, 3).join(', ')
  throw cliErrors['no-repository'](
    `${name} works on a repository and none is given (needed by ${users.length > 3 ? `${shown} and others` : shown})`,
  )
}

async function resume({ client }: Connection, id: string): Promise<string> {
  const { run } = await client.call(showRun, { params: { id } })
  // After a crash the platform goes on by itself as soon as it is up; only what a person paused waits for a person.
  if (run.state === 'paused') await client.call(resumeRun, { params: { id } })
  return id
}
