import type { CliCommand } from './command.ts'

export interface CommandEntry {
  readonly name: string
  readonly summary: string
  /** The file is loaded only when the command is the one that was called. */
  readonly load: () => Promise<CliCommand>
}

/** All commands, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'orchestrate',
    summary: 'run a workflow over a repository and wait for its end',
    load: async () => (await import('./commands/orchestrate.ts')).orchestrate,
  },
  {
    name: 'spawn',
    summary: 'give one task to one agent that can do it',
    load: async () => (await import('./commands/spawn.ts')).spawn,
  },
  {
    name: 'runs',
    summary: 'list, show, cancel, pause, resume and retry runs; read their logs',
    load: async () => (await import('./commands/runs.ts')).runs,
  },
  {
    name: 'approvals',
    summary: 'list and answer questions that runs put to people',
    load: async () => (await import('./commands/approvals.ts')).approvals,
  },
  {
    name: 'review',
    summary: 'show what the work of a run changed, what proves it, who approved and what it cost; approve it there',
    load: async () => (await import('./commands/review.ts')).review,
  },
  {
    name: 'artifacts',
    summary: 'list and copy what the steps of a run have kept, such as reports and the evidence of gates',
    load: async () => (await import('./commands/artifacts.ts')).artifacts,
  },
  {
    name: 'registry',
    summary: 'publish agents for others to find; search them by what they can do, cost, owner and health',
    load: async () => (await import('./commands/registry.ts')).registry,
  },
  {
    name: 'merges',
    summary: 'show what is merged, in which order, and what waits for what',
    load: async () => (await import('./commands/merges.ts')).merges,
  },
  {
    name: 'checkpoint',
    summary: 'keep the state of a run; list, restore and fork what was kept',
    load: async () => (await import('./commands/checkpoint.ts')).checkpoint,
  },
  {
    name: 'schedules',
    summary: 'start runs by the clock: list, create, show, pause, resume, delete; see what comes next',
    load: async () => (await import('./commands/schedules.ts')).schedules,
  },
  {
    name: 'monitor',
    summary: 'show host, agents, queue and runs as they are',
    load: async () => (await import('./commands/monitor.ts')).monitor,
  },
  {
    name: 'agents',
    summary: 'list and show agents; cordon, drain and remove them',
    load: async () => (await import('./commands/agents.ts')).agents,
  },
  {
    name: 'pools',
    summary: 'list pools, set their size, or let a policy set it',
    load: async () => (await import('./commands/pools.ts')).pools,
  },
  {
    name: 'scaling',
    summary: 'show what policies changed, and why they did or did not',
    load: async () => (await import('./commands/scaling.ts')).scaling,
  },
  {
    name: 'liveness',
    summary: 'show what looks alive and is not, answer it, and say when to speak',
    load: async () => (await import('./commands/liveness.ts')).liveness,
  },
  {
    name: 'queue',
    summary: 'show what is ready, at work and waiting, and for what',
    load: async () => (await import('./commands/queue.ts')).queue,
  },
  {
    name: 'resources',
    summary: 'show what agents hand out; propose sizes for steps',
    load: async () => (await import('./commands/resources.ts')).resources,
  },
  {
    name: 'budgets',
    summary: 'list, set and show budgets, and what was spent of them',
    load: async () => (await import('./commands/budgets.ts')).budgets,
  },
  {
    name: 'quotas',
    summary: 'list and set what provider accounts allow the whole fleet',
    load: async () => (await import('./commands/quotas.ts')).quotas,
  },
  {
    name: 'models',
    summary: 'list models and what calls of them cost; make and end keys for the model gateway',
    load: async () => (await import('./commands/models.ts')).models,
  },
  {
    name: 'workflows',
    summary: 'list, show and check workflows',
    load: async () => (await import('./commands/workflows.ts')).workflows,
  },
  {
    name: 'personas',
    summary: 'list and show who agents can be; copy personas into the project to edit them',
    load: async () => (await import('./commands/personas.ts')).personas,
  },
  {
    name: 'tenants',
    summary: 'make, list, suspend and delete tenants',
    load: async () => (await import('./commands/tenants.ts')).tenants,
  },
  {
    name: 'keys',
    summary: 'make, list, rotate and revoke keys of the API',
    load: async () => (await import('./commands/keys.ts')).keys,
  },
  {
    name: 'members',
    summary: 'list, add, change and remove the members of a tenant',
    load: async () => (await import('./commands/members.ts')).members,
  },
  {
    name: 'groups',
    summary: 'put members into groups, for those who may answer and those who are asked',
    load: async () => (await import('./commands/groups.ts')).groups,
  },
  {
    name: 'webhook',
    summary: 'take signed webhooks in, send events out; list, test and send deliveries again',
    load: async () => (await import('./commands/webhook.ts')).webhook,
  },
  {
    name: 'gateway',
    summary: 'manage routes to upstream agents and services; look at what was measured of them',
    load: async () => (await import('./commands/gateway.ts')).gateway,
  },
  {
    name: 'streaming',
    summary: 'follow, replay and publish events; share them among the members of a group',
    load: async () => (await import('./commands/streaming.ts')).streaming,
  },
  {
    name: 'mcp',
    summary: 'offer the fleet to programs that speak the Model Context Protocol',
    load: async () => (await import('./commands/mcp.ts')).mcp,
  },
  {
    name: 'external-api',
    summary: 'show, start and stop webhooks, gateway and streams together',
    load: async () => (await import('./commands/external-api.ts')).externalApi,
  },
  {
    name: 'serve',
    summary: 'run the platform as a process that other commands talk to',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
  {
    name: 'work',
    summary: 'run agents on this machine for servers elsewhere that share a database',
    load: async () => (await import('./commands/work.ts')).work,
  },
  {
    name: 'migrate-to',
    summary: 'move the database to PostgreSQL, or back into a folder; runs in flight survive',
    load: async () => (await import('./commands/migrate-to.ts')).migrateTo,
  },
  {
    name: 'init',
    summary: 'write a commented leanvibe.yaml and an example workflow',
    load: async () => (await import('./commands/init.ts')).init,
  },
  {
    name: 'doctor',
    summary: 'tell what is there, what is not, and what is not enforced here',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
]
