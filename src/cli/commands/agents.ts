import { setTimeout as delay } from 'node:timers/promises'
import { Option } from 'commander'
import type { Client } from '../../client/client.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import type { PoolConfig } from '../../foundation/platform/config/pools.ts'
import {
  type AgentPlacement,
  type AgentView,
  agentStateSchema,
  cordonAgent,
  drainAgent,
  listAgents,
  removeAgent,
  showAgent,
  uncordonAgent,
} from '../../orchestration/agents/agents-contract.ts'
import { addAgent } from '../add-agent.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { formatBytes, oneLine, plural, table } from '../text.ts'
import { contextText } from '../ui/context-text.ts'

export const agents: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list agents by pool')
      .option('--pool <name>', 'only this pool')
      .addOption(new Option('--state <state>', 'only those in this state').choices(agentStateSchema.options))
      .option('--all', 'also those that went with a former process')
      .action(act(list))
    command
      .command('add')
      .description(
        'add a pool of agents to leanvibe.yaml: claude, codex, gemini, opencode, qwen, goose, acp, http URL, llm MODEL, function FILE, a2a URL, mcp, command, container or kubernetes',
      )
      .argument('<agent>')
      .argument('[program...]', 'after --: program and arguments, instead of the usual ones')
      .option('--name <pool>', 'of the pool; default: that of the agent')
      .option('--agents <n>', 'how many work at a time', Number)
      .option('--env <names...>', 'further variables that it gets')
      .option('--capability <names...>', 'what it can do; default: code')
      .option('--url <url>', 'of a2a: its card; of mcp: the server is elsewhere')
      .option('--secret <name>', 'of a2a and http: the name of the secret that it knows us by')
      .option('--allow <networks...>', 'of http: networks that may be spoken to although they are not public')
      .option('--callback', 'of http: it answers at once, and tells the rest later')
      .addOption(new Option('--wire <form>', 'of llm: how it is asked').choices(['openai', 'anthropic']))
      .option('--memory <size>', 'of functions: what they may use, such as 256MB')
      .option('--image <image>', 'of containers and pods: where the agent is')
      .option('--acp', 'in containers and pods: it speaks the Agent Client Protocol')
      .addOption(new Option('--mode <mode>', 'of pods: a Job each time, or pods that stay').choices(['job', 'pod']))
      .option('--namespace <name>', 'of pods')
      .option('--context <name>', 'of the kubeconfig')
      .addOption(new Option('--network <rule>', 'what its processes reach').choices(['open', 'models', 'off']))
      .addOption(
        new Option('--confine <mode>', 'whether it is kept in its worktree').choices(['off', 'auto', 'required']),
      )
      .option('--force', 'write over a pool of that name')
      .action(act(addAgent))
    command.command('show').description('show an agent and what it works on').argument('<agent>').action(act(show))
    command
      .command('cordon')
      .description('give it nothing new; what it has goes on')
      .argument('<agent>')
      .action(act((context, id: string) => steer(context, cordonAgent, id)))
    command
      .command('uncordon')
      .description('let it take work again')
      .argument('<agent>')
      .action(act((context, id: string) => steer(context, uncordonAgent, id)))
    command
      .command('drain')
      .description('give it nothing new, and wait until it holds nothing')
      .argument('<agent>')
      .option('--no-wait', 'return at once')
      .option('--timeout <time>', 'wait at most this long', '10m')
      .action(act(drain))
    command
      .command('remove')
      .description('let it finish what it has, then stop and forget it')
      .argument('<agent>')
      .action(act(remove))
  },
}

interface ListOptions {
  readonly pool?: string
  readonly state?: AgentView['state']
  readonly all?: boolean
}

async function list(context: CliContext, { all, ...query }: ListOptions): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client, loaded, embedded }) => {
    const found = (await client.call(listAgents, { query })).items
    const items = all || query.state !== undefined ? found : found.filter(({ state }) => state !== 'offline')
    for (const item of items) out.document(item)
    if (items.length > 0) out.lines(...table(items.map(cells)))
    const gone = found.length - items.length
    if (gone > 0) out.note(out.colors.dim(`${plural(gone, 'agent')} of former processes; --all shows them`))
    if (!embedded) return
    const pools = loaded.config.pools.filter(({ name }) => query.pool === undefined || name === query.pool)
    out.lines('', 'no server runs on this data folder; it would start:', ...table(pools.map(poolCells)))
  })
}

async function show(context: CliContext, id: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const answer = await client.call(showAgent, { params: { id } })
    out.document(answer)
    const { agent, placement, leases } = answer
    out.lines(cells(agent).join('  '), `  runner ${agent.runnerId}, last seen ${agent.lastSeenAt}`)
    out.lines(...placementLines(placement))
    const rows = leases.map((lease) => [
      '',
      lease.taskId,
      oneLine(lease.step, 40),
      lease.state,
      `attempt ${lease.attempt}`,
      `since ${lease.leasedAt}`,
      lease.context === null ? '' : `context ${contextText(lease.context)}`,
    ])
    if (rows.length > 0) out.lines(...table(rows))
  })
}

const spendings = {
  metered: 'metered: its model calls pass the gateway, and it reaches nothing else that costs',
  capped: 'capped: it reaches no network, so it takes time alone',
  reported: 'reported: it may reach what we do not see; limits of money stop its next start',
} as const

function placementLines({ labels, region, taints, weight, resources, enforcement }: AgentPlacement): string[] {
  const pairs = (of: Readonly<Record<string, string | number>>) =>
    Object.entries(of).map(([name, value]) => `${name}: ${value}`)
  const rows: [string, string][] = [
    ['labels', pairs(labels).join(', ')],
    ['region', region ?? ''],
    ['taints', taints.join(', ')],
    ['weight', weight === 1 ? '' : String(weight)],
    ['resources', resources === null ? '' : Object.entries(resources).map(resourceText).join(', ')],
    ['spending', enforcement === null ? '' : spendings[enforcement]],
  ]
  return table(rows.flatMap(([name, text]) => (text === '' ? [] : [[`  ${name}`, oneLine(text, 200)]])))
}

function resourceText([name, amount]: readonly [string, number]): string {
  if (name === 'cpu') return `cpu ${amount}`
  return `${name} ${formatBytes(amount)}${name === 'network' ? '/s' : ''}`
}

async function steer(context: CliContext, endpoint: typeof cordonAgent, id: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(endpoint, { params: { id } }))
  })
}

async function drain(context: CliContext, id: string, options: { wait: boolean; timeout: string }): Promise<void> {
  const patienceMs = parseDuration(options.timeout)
  await withConnection(context, { work: false }, async ({ client }) => {
    const agent = await client.call(drainAgent, { params: { id } })
    tell(context, agent.used === 0 || !options.wait ? agent : await untilIdle(context, client, id, patienceMs))
  })
}

/** Looks twice a second until the agent holds nothing. */
async function untilIdle(context: CliContext, client: Client, id: string, patienceMs: number): Promise<AgentView> {
  const { signal } = context.interrupts
  const deadline = performance.now() + patienceMs
  for (;;) {
    const { agent } = await client.call(showAgent, { params: { id }, signal })
    if (agent.used === 0) return agent
    if (performance.now() > deadline) {
      throw cliErrors['still-busy'](`${id} still works on ${plural(agent.used, 'task')}; it takes nothing new`)
    }
    await delay(500, undefined, { signal })
  }
}

async function remove(context: CliContext, id: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const answer = await client.call(removeAgent, { params: { id } })
    out.document(answer)
    const end = answer.state === 'offline' ? 'is removed' : 'goes when it has finished what it has'
    out.lines(`${out.colors.green('✔')} ${id} ${end}`)
  })
}

function tell({ out }: CliContext, agent: AgentView): void {
  out.document(agent)
  out.lines(`${out.colors.green('✔')} ${cells(agent).join('  ')}`)
}

function cells(agent: AgentView): string[] {
  return [
    agent.id,
    agent.pool,
    agent.kind,
    agent.intent === null ? agent.state : `${agent.state} (${agent.intent})`,
    `${agent.used}/${plural(agent.slots, 'slot')}`,
    oneLine(agent.capabilities.join(' '), 80),
  ]
}

function poolCells(pool: PoolConfig): string[] {
  return [
    `  ${pool.name}`,
    plural(pool.agents, 'agent'),
    plural(pool.slots, 'slot'),
    oneLine(pool.capabilities.join(' '), 80),
  ]
}
