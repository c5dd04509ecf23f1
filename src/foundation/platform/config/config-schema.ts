import { strategyNames } from '../../balancing/strategy-names-contract.ts'
import { isAppError } from '../../kernel/errors.ts'
import { modelPriceSchema } from '../../kernel/model-price.ts'
import { z } from '../../kernel/schema.ts'
import { parseBlobLocation } from '../blobs/blob-location.ts'
import { a2aSchema, a2aShape } from './a2a-settings.ts'
import { agentKinds, confineSchema, permissionsSchema } from './agent-kinds.ts'
import { acpSchema, questionsSchema } from './agent-settings.ts'
import { durationSchema, sizeSchema } from './config-units.ts'
import { containerSchema } from './container-settings.ts'
import { functionAgentSchema } from './function-agent.ts'
import { gatewayShape } from './gateway-schema.ts'
import { httpAgentSchema } from './http-agent.ts'
import { kubernetesSchema } from './kubernetes-settings.ts'
import { llmAgentSchema } from './llm-agent.ts'
import { modelsShape, tiersSchema } from './models-schema.ts'
import { rateLimitSchema, serverShape } from './server-schema.ts'
import { mcpSchema, toolsSchema } from './tool-settings.ts'

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'expected lower-case letters, digits, - and _, starting with a letter')
const label = z.string().regex(/^[A-Za-z0-9][\w./-]{0,99}$/, 'expected letters, digits and _ . / -')
const variable = z.string().regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable')
const argv = z.array(z.string()).min(1, 'expected a program and its arguments')
export const agentsSchema = z.int().min(1).max(1_000)
export const parallelSchema = z.int().min(1).max(10_000)
export const portSchema = z.int().min(0).max(65_535)
export const logLevelSchema = z.enum(['debug', 'info', 'warn', 'error'])
export const poolSizeSchema = z.int().min(1).max(500)

export const checkpointEverySchema = z.union(
  [z.literal('never').transform(() => null), durationSchema.refine((ms) => ms >= 1_000)],
  'expected never, or a time of at least 1s such as 10m',
)

/** A capability, with a level from 1 to 10 where it is not 1: `review`, `review:3`. */
const capability = z
  .string()
  .regex(
    /^[A-Za-z0-9][\w./-]{0,99}(?::(?:[1-9]|10))?$/,
    'expected letters, digits and _ . / -, then perhaps a level :1 to :10',
  )

/** What may be handed out. `network` in megabits a second. What is left out has no bounds. */
const resourcesSchema = z.strictObject({
  cpu: z.number().positive().max(4_096).optional(),
  memory: sizeSchema.optional(),
  disk: sizeSchema.optional(),
  network: z.number().positive().optional(),
})

const poolSchema = z.strictObject({
  /** What its agents are. Default: the kind whose settings are there (`acp`, `http`, `llm` and so on), else `command`. */
  kind: z.enum(agentKinds).optional(),
  acp: acpSchema.optional(),
  a2a: a2aSchema.optional(),
  mcp: mcpSchema.optional(),
  http: httpAgentSchema.optional(),
  function: functionAgentSchema.optional(),
  llm: llmAgentSchema.optional(),
  /** Its agents run in containers of this machine. With `acp`, they are talked to inside. */
  container: containerSchema.optional(),
  /** Its agents run in pods of a cluster. With `acp`, they are talked to inside. */
  kubernetes: kubernetesSchema.optional(),
  /** MCP servers whose tools its agents may call: allow, ask people, or never (off). */
  tools: toolsSchema.optional(),
  /** What its agents may do: allow, ask people, or never (off). */
  permissions: permissionsSchema.optional(),
  /** How long their questions wait for people. */
  ask: durationSchema.optional(),
  /** Who answers their questions, and what happens while nobody does. */
  questions: questionsSchema.optional(),
  /** How long they may say nothing. */
  silence: durationSchema.optional(),
  /** What their processes may touch. */
  confine: confineSchema.optional(),
  /** Program and arguments of the agent; `{prompt}`, `{prompt-file}` and `{depth}` stand for the task. */
  command: argv.optional(),
  prompt: z.enum(['argument', 'stdin', 'file']).optional(),
  /** The model for each tier; `{model}` of `command` stands for it. */
  tiers: tiersSchema.optional(),
  capabilities: z.array(capability).optional(),
  agents: agentsSchema.optional(),
  slots: z.int().min(1).max(1_000).optional(),
  weight: z.number().positive().max(1_000).optional(),
  labels: z.record(label, z.string()).optional(),
  region: label.optional(),
  taints: z.array(label).optional(),
  /** Of each agent. */
  resources: resourcesSchema.optional(),
  env: z.array(variable).optional(),
  strategy: z.enum(strategyNames).optional(),
  timeout: durationSchema.optional(),
  /** Its agents call models through the gateway, with a key for each attempt. A list: only these. */
  models: z.union([z.boolean(), z.array(z.string().min(1).max(200)).min(1).max(100)]).optional(),
})

const secretSchema = z.union(
  [z.strictObject({ env: variable }), z.strictObject({ file: z.string().min(1) }), z.strictObject({ command: argv })],
  'expected {env: NAME}, {file: PATH} or {command: [PROGRAM, ...]}: a reference, never the value itself',
)
export type SecretReference = z.output<typeof secretSchema>

/** leanvibe.yaml. Everything may be left out. */
/** `postgres`, `folder:/absolute/path` or `s3://bucket/prefix?...` as the place it means. */
export const blobsSchema = z.string().transform((text, context) => {
  try {
    return parseBlobLocation(text)
  } catch (error) {
    if (!isAppError(error, 'blob-location-invalid')) throw error
    context.addIssue({ code: 'custom', message: error.message })
    return z.NEVER
  }
})

export const configFileSchema = z.strictObject({
  data: z.string().min(1).optional(),
  agents: agentsSchema.optional(),
  parallel: parallelSchema.optional(),
  workflows: z.string().min(1).optional(),
  personas: z.string().min(1).optional(),
  database: z
    .strictObject({
      kind: z.enum(['pglite', 'postgres']).optional(),
      poolSize: poolSizeSchema.optional(),
      migrate: z.boolean().optional(),
    })
    .optional(),
  server: z.strictObject(serverShape).optional(),
  rateLimits: z.record(name, rateLimitSchema).optional(),
  log: z.strictObject({ level: logLevelSchema.optional() }).optional(),
  checkpoints: z.strictObject({ every: checkpointEverySchema.optional() }).optional(),
  limits: z
    .strictObject({ log: sizeSchema.optional(), output: sizeSchema.optional(), artifact: sizeSchema.optional() })
    .optional(),
  blobs: blobsSchema.optional(),
  events: z
    .strictObject({
      keep: durationSchema.refine((ms) => ms >= 172_800_000, 'expected at least 2d').optional(),
      resume: durationSchema.refine((ms) => ms >= 60_000, 'expected at least 1m').optional(),
    })
    .optional(),
  webhooks: z
    .strictObject({
      allow: z
        .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], 'expected a network such as 10.1.0.0/16'))
        .optional(),
      // Longer than any tolerance: a signed message that is still young must still be known.
      keep: durationSchema.refine((ms) => ms >= 172_800_000, 'expected at least 2d').optional(),
    })
    .optional(),
  a2a: z.strictObject(a2aShape).optional(),
  gateway: z.strictObject(gatewayShape).optional(),
  merges: z.strictObject({ batch: z.int().min(1).max(50).optional() }).optional(),
  onRunEnd: argv.optional(),
  /** Go before the prices that come with the package. */
  prices: z.array(modelPriceSchema).max(1_000).optional(),
  /** Of what tenants share, by their names; others have 1. */
  shares: z.record(name, z.number().min(0.01).max(1_000)).optional(),
  models: z.strictObject(modelsShape(durationSchema)).optional(),
  env: z.array(variable).optional(),
  pools: z.record(name, poolSchema).optional(),
  /** Of all agents of this machine together. */
  resources: resourcesSchema.optional(),
  secrets: z.record(z.string().regex(/^[A-Za-z_]\w{0,99}$/, 'expected letters, digits and _'), secretSchema).optional(),
})
export type ConfigFile = z.output<typeof configFileSchema>
