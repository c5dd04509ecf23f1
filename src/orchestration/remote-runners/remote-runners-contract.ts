import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { toolCallNoteSchema } from '../tool-calls/tool-calls-contract.ts'
import { capabilityField } from '../workflows/placement-contract.ts'

/** Counted against this limit of `rateLimits` in place of the general ones: runners call often, and in batches. */
const limit = 'runners'
const MiB = 1_048_576

const word = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/, 'expected letters, digits and . _ -')
const params = z.object({ runner: z.string().min(1).max(100) })
const leaseParams = z.object({ ...params.shape, fence: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) })
const count = z.int().min(0)
const amount = z.number().min(0).max(1e12)
const hexCommit = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const share = z.number().min(0).max(1)
const taskId = z.string().min(1).max(200)
const lease = { taskId, fence: count }

/** Labels as registrations carry them: texts, and what else is to be known of an agent under reserved names. */
const labelsSchema = z.record(
  z.string().min(1).max(100),
  z.union([z.string().max(500), z.array(z.string().max(100)).max(100), z.record(z.string().max(100), amount)]),
)

const templateShape = {
  pool: word,
  kind: word,
  capabilities: z.array(capabilityField).max(100),
  labels: labelsSchema,
  slots: z.int().min(1).max(10_000),
  weight: z.number().min(0.001).max(1_000_000),
}
const remoteAgentSchema = z.object({
  /** Unique on its runner. */
  name: word,
  ...templateShape,
})

export const registerRunner = endpoint({
  method: 'POST',
  path: '/api/v1/runners',
  summary: 'Announces a runner of the tenant and the agents that live on it.',
  openBody: true,
  body: z.object({
    host: z.string().min(1).max(255),
    pid: z.int().min(1).max(2_147_483_647),
    /** What it can do of `runner-versions-contract.ts`. */
    contract: z.int().min(1).max(1_000_000).default(1),
    agents: z.array(remoteAgentSchema).max(1_000),
    /** What further agents of its pools are, which it starts when it is told to; one a pool. */
    templates: z.array(z.object(templateShape)).max(1_000).default([]),
    /** Agents there at a time, at most. */
    most: z.int().min(0).max(10_000).default(0),
  }),
  output: z.object({
    runner: z.string(),
    tenant: z.string(),
    /** What the server can do; left out by those of the first version. */
    contract: z.int().optional(),
    /** Ids of the agents, in the order in which they were given. */
    agents: z.array(z.string()),
    /** Database time. */
    now: z.iso.datetime(),
  }),
  status: 201,
  limit,
})

const spendingSchema = z.object({
  microUsd: count.optional(),
  inputTokens: count.optional(),
  outputTokens: count.optional(),
  cacheReadTokens: count.optional(),
  cacheWriteTokens: count.optional(),
  model: z.string().max(200).optional(),
  requests: count.optional(),
  subscriptionPercent: z.number().min(0).max(1_000).optional(),
  subscriptionResetsAt: z.iso.datetime({ offset: true }).optional(),
  /** The gateway has charged it. */
  metered: z.literal(true).optional(),
})

const artifactSchema = z.object({
  name: z.string().min(1).max(1_000),
  mediaType: z.string().max(200),
  bytes: count,
  sha256,
  /** As the upload named it. */
  blob: z.string().max(512),
})

const reportSchema = z.object({
  ...lease,
  outcome: z.enum(['succeeded', 'failed', 'cancelled', 'timed-out']),
  /** Database time. */
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  output: z.json(),
  error: z
    .object({
      code: z.string().min(1).max(100),
      message: z.string().max(100_000),
      exitCode: z.int32().optional(),
      signal: z.string().max(40).optional(),
      retry: z.enum(['never', 'later']),
    })
    .nullable(),
  usage: z.object({
    cpuSeconds: amount.nullable(),
    maxRssBytes: count.nullable(),
    wallSeconds: amount,
    diskBytes: count.optional(),
    networkBytes: count.optional(),
    spending: spendingSchema.optional(),
  }),
  artifacts: z.array(artifactSchema).max(2_000),
  workspaceCommit: hexCommit.nullable(),
})
export type WireReport = z.output<typeof reportSchema>
export type WireRequest = z.input<typeof exchangeBody>

const exchangeBody = z.object({
  reports: z.array(reportSchema).max(1_000),
  progress: z.array(z.object({ ...lease, note: z.string().max(2_000).optional() })).max(20_000),
  /** Leases it works on or has yet to report. */
  holding: z.array(z.object(lease)).max(20_000),
  /** False while it drains. */
  accept: z.boolean(),
  /** All agents that live there now; left out: as it was told before. */
  agents: z.array(z.string().min(1).max(300)).max(20_000).optional(),
  load: z
    .object({ cpu: share.optional(), memory: share.optional(), disk: share.optional(), network: share.optional() })
    .optional(),
})

export const exchangeWork = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/exchange',
  summary: 'Takes reports and progress of a runner, and gives it new leases.',
  params,
  openBody: true,
  body: exchangeBody,
  output: z.object({
    now: z.iso.datetime(),
    assignments: z.array(
      z.object({
        runId: z.string(),
        taskId: z.string(),
        step: z.string(),
        item: z.int().nullable(),
        attempt: z.int(),
        fence: z.int(),
        agentId: z.string(),
        /** The task with its values filled in; secrets are names only. */
        spec: z.looseObject({ kind: z.string() }),
        repo: z.object({ path: z.string(), commit: z.string().nullable() }).nullable(),
      }),
    ),
    cancels: z.array(z.object({ taskId: z.string(), fence: z.int(), reason: z.string() })),
    revoked: z.array(z.object({ taskId: z.string(), fence: z.int() })),
    /** Agents that it is to start and to stop. Left out where nobody has looked. */
    agents: z
      .object({ start: z.array(z.object({ id: z.string(), pool: z.string() })), stop: z.array(z.string()) })
      .optional(),
  }),
  bodyLimit: 64 * MiB,
  limit,
})
export type WireReply = z.output<typeof exchangeWork.output & object>

export const runnerHints = endpoint({
  method: 'GET',
  path: '/api/v1/runners/:runner/hints',
  summary: 'Says when there may be something to fetch. A hint may be missed: runners also look by themselves.',
  params,
  output: z.object({ wake: z.literal(true) }),
  reply: 'events',
  limit,
})

export const drainRunner = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/drain',
  summary: 'Gives the agents of a runner nothing new.',
  params,
  output: z.object({
    /** Tasks that its agents still hold. */
    left: z.int(),
  }),
  limit,
})

export const removeRunner = endpoint({
  method: 'DELETE',
  path: '/api/v1/runners/:runner',
  summary: 'Takes a runner off the list. What it still holds passes to others at once.',
  params,
  limit,
})

export const appendRunnerLogs = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/logs',
  summary: 'Keeps what attempts printed. Chunks of leases that the runner no longer has are left out.',
  params,
  openBody: true,
  body: z.object({
    chunks: z
      .array(
        z.object({
          ...lease,
          /** 0, 1, 2 ... within the attempt. */
          seq: z.int32().min(0),
          stream: z.enum(['stdout', 'stderr']),
          bytes: z.base64().max(8 * MiB),
        }),
      )
      .max(10_000),
  }),
  output: z.object({ kept: z.int() }),
  bodyLimit: 24 * MiB,
  limit,
})

export const appendRunnerToolCalls = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/tool-calls',
  summary: 'Keeps what agents tell of their tool calls. Those of leases that the runner no longer has are left out.',
  params,
  openBody: true,
  body: z.object({ calls: z.array(z.object({ ...lease, ...toolCallNoteSchema.shape })).max(1_000) }),
  output: z.object({ kept: z.int() }),
  limit,
})

/** Bytes of one piece of an upload, at most. */
export const uploadPieceBytes = 8 * MiB

export const uploadPiece = endpoint({
  method: 'PUT',
  path: '/api/v1/runners/:runner/leases/:fence/uploads/:upload/:piece',
  summary: 'Takes a piece of a file, as it is; a piece that comes twice is kept once.',
  params: z.object({
    ...leaseParams.shape,
    upload: z.string().regex(/^[a-z0-9]{8,40}$/),
    piece: z.coerce.number().int().min(0).max(9_999),
  }),
  bodyLimit: uploadPieceBytes,
  limit,
})

const finishBody = z.object({
  upload: z.string().regex(/^[a-z0-9]{8,40}$/),
  pieces: z.int().min(0).max(10_000),
  /** Of the whole. */
  sha256,
})

export const finishArtifact = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/leases/:fence/artifacts',
  summary: 'Makes an artifact of the pieces of an upload. The report of the attempt names it.',
  params: leaseParams,
  openBody: true,
  body: finishBody,
  output: z.object({ blob: z.string(), bytes: z.int(), sha256: z.string() }),
  status: 201,
  limit,
})

export const fetchRepository = endpoint({
  method: 'GET',
  path: '/api/v1/runners/:runner/leases/:fence/repository',
  summary: 'The commit that a lease works on with its history, as a git pack, without what the runner has.',
  params: leaseParams,
  query: z.object({
    /** Commits that the runner has, by commas. */
    have: z
      .string()
      .regex(/^[0-9a-f,]*$/)
      .max(8_000)
      .default(''),
    /** A commit that an earlier step of the run left, where the work begins there. */
    base: hexCommit.optional(),
  }),
  reply: 'bytes',
  limit,
})

export const deliverCommit = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/leases/:fence/repository',
  summary: 'Takes the commit that an attempt has left, as an uploaded git pack, and keeps it under refs/leanvibe/.',
  params: leaseParams,
  openBody: true,
  body: z.object({ ...finishBody.shape, commit: hexCommit }),
  output: z.object({ ref: z.string() }),
  status: 201,
  limit,
})

export const grantModelKey = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/leases/:fence/model-key',
  summary: 'A key for the model gateway of this server that ends with the lease.',
  params: leaseParams,
  openBody: true,
  body: z.object({
    /** Models it may call; none: all. */
    models: z.array(z.string().min(1).max(200)).max(200),
  }),
  output: z.object({ key: z.string() }),
  status: 201,
  secret: true,
  limit,
})

const people = z.array(z.string().min(1).max(320))

const askBody = z.object({
  key: z.string().min(1).max(200),
  kind: z.enum(['permission', 'question']),
  message: z.string().max(4_000),
  choices: z
    .array(
      z.object({
        id: z.string().max(200),
        label: z.string().max(1_000),
        meaning: z.enum(['allow-once', 'allow-always', 'reject-once', 'reject-always']).optional(),
      }),
    )
    .max(100),
  freeText: z.boolean(),
  defaultChoice: z.string().max(200).nullable(),
  deadlineMs: z.int().min(0).nullable(),
  confidence: share.optional(),
  risk: share.optional(),
  details: z.record(z.string(), z.json()),
  /** Who may answer, and what happens while nobody does, as the pool says on the machine of the runner. */
  rules: z
    .object({
      who: people.max(100),
      escalate: z.array(z.object({ afterMs: z.number().min(0).nullable(), to: people.max(100) })).max(20),
      atDeadline: z.enum(['approve', 'reject', 'escalate']).nullable(),
      count: z.int().min(1).max(100).optional(),
    })
    .optional(),
})
export type WireQuestion = z.input<typeof askBody>

/** How long one call waits for people, in ms; the runner asks again with the same key, which is the same question. */
export const askWaitMs = 20_000

export const askForRunner = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/leases/:fence/questions',
  summary: 'Puts a question of an agent to people, once for each key, and waits for the answer for a while.',
  params: leaseParams,
  openBody: true,
  body: askBody,
  output: z.object({
    /** Null: nobody has answered yet. */
    answer: z
      .object({
        choice: z.string().nullable(),
        text: z.string().nullable(),
        by: z.string(),
        expired: z.boolean(),
      })
      .nullable(),
  }),
  limit,
})
