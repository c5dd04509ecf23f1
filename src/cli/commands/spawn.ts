import { Option } from 'commander'
import type { PoolConfig } from '../../foundation/platform/config/pools.ts'
import { startRun } from '../../orchestration/runs/run-endpoints-contract.ts'
import { depthSchema } from '../../orchestration/workflows/policies-contract.ts'
import type { Depth } from '../../orchestration/workflows/workflow-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { usageError } from '../failure.ts'
import { wholeNumber } from '../parse-options.ts'
import { performRun } from '../perform-run.ts'
import { repositoryPath } from '../remote-server.ts'
import { spawnWorkflow } from '../spawn-workflow.ts'

interface Options {
  readonly task: string
  readonly depth: Depth
  readonly parallel?: number | true
  readonly pool?: string
  readonly persona?: string
  readonly repo?: string
  readonly detach?: boolean
  readonly out?: string
}

export const spawn: CliCommand = {
  configure(command, act) {
    command
      .requiredOption('--task <text>', 'what the agent is to do')
      .addOption(
        new Option('--depth <depth>', 'tier of models, time and budget')
          .choices(depthSchema.options)
          .default('standard'),
      )
      .option('--parallel [n]', 'give it to n agents side by side (default: 2)', wholeNumber)
      .option('--pool <name>', 'the pool of agents (default: the first of leanvibe.yaml that takes tasks)')
      .option('--persona <name>', 'who does it: see leanvibe personas list')
      .option('--repo <folder>', 'a git repository; each agent gets a worktree of its own')
      .option('--out <folder>', 'where the results are copied to')
      .option('--detach', 'start it, print its id, and leave it to a server in the background')
      .action(act(run))
  },
}

async function run(context: CliContext, options: Options): Promise<number> {
  if (options.task.trim() === '') throw usageError('--task is empty')
  return performRun(context, options, async ({ client, loaded }) => {
    const pool = choosePool(loaded.config.pools, options.pool)
    const side = options.parallel === true ? 2 : (options.parallel ?? 1)
    const { depth, persona = null } = options
    const source = spawnWorkflow({ depth, persona, pool: pool.name, side, worktree: options.repo !== undefined })
    const started = await client.call(startRun, {
      body: {
        source: { text: source, fileName: 'spawn' },
        inputs: { task: options.task },
        ...(options.repo === undefined ? {} : { repo: repositoryPath(context, options.repo) }),
        depth: options.depth,
      },
    })
    return started.id
  })
}

function choosePool(pools: readonly PoolConfig[], name: string | undefined): PoolConfig {
  const able = pools.filter(({ agent, driver }) => agent !== null || driver !== null)
  const found = name === undefined ? able[0] : able.find((pool) => pool.name === name)
  if (found !== undefined) return found
  const known = able.length === 0 ? 'leanvibe.yaml has none' : `there are ${able.map((pool) => pool.name).join(', ')}`
  throw cliErrors['no-agent'](
    `no pool of agents ${name === undefined ? 'takes tasks' : `is called ${name} and takes tasks`}: ${known}`,
  )
}
