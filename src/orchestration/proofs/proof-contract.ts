import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

const at = z.iso.datetime()
const problem = z.object({ code: z.string(), message: z.string() })

/** Everything that speaks for a piece of work, as it is on record. Its text is the same each time it is made from the same record. */
export const proofSchema = z.object({
  format: z.literal(1),
  kind: z.literal('leanvibe.proof-of-work'),
  run: z.object({
    id: z.string(),
    workflow: z.string(),
    version: z.int(),
    state: z.string(),
    repo: z.string().nullable(),
    commit: z.string().nullable(),
    branch: z.string().nullable(),
    requestedBy: z.array(z.string()),
  }),
  task: z.object({
    id: z.string(),
    step: z.string(),
    item: z.int().nullable(),
    state: z.string(),
    reason: z.string().nullable(),
    error: problem.nullable(),
    agent: z.string().nullable(),
    pool: z.string(),
    /** What it was to do: the prompt, the arguments, the text of the script. */
    work: z.object({ kind: z.string(), text: z.string() }),
  }),
  time: z.object({
    createdAt: at,
    startedAt: at.nullable(),
    endedAt: at.nullable(),
    wallSeconds: z.number().nullable(),
    cpuSeconds: z.number().nullable(),
    maxRssBytes: z.number().nullable(),
  }),
  attempts: z.array(
    z.object({ attempt: z.int(), outcome: z.string(), agent: z.string().nullable(), error: problem.nullable() }),
  ),
  /** What changed; null where nothing did, or nobody kept it. */
  change: z
    .object({
      base: z.string(),
      commit: z.string(),
      added: z.int(),
      removed: z.int(),
      files: z.array(z.object({ path: z.string(), added: z.int(), removed: z.int(), binary: z.boolean() })),
      diff: z.string(),
      /** The difference is longer than what stands here; all of it is in the artifact. */
      cut: z.boolean(),
      artifact: z.object({ id: z.string(), sha256: z.string(), bytes: z.int() }),
    })
    .nullable(),
  /** What was run, with what it printed. */
  commands: z.array(
    z.object({ step: z.string(), title: z.string(), outcome: z.string(), output: z.string(), cut: z.boolean() }),
  ),
  gates: z.array(
    z.object({
      step: z.string(),
      verdict: z.string(),
      checks: z.array(
        z.object({
          name: z.string(),
          passed: z.boolean(),
          onFail: z.string(),
          summary: z.string(),
          evidence: z.object({ name: z.string(), id: z.string(), sha256: z.string() }).nullable(),
        }),
      ),
    }),
  ),
  merges: z.array(
    z.object({
      step: z.string(),
      branch: z.string(),
      state: z.string(),
      from: z.string().nullable(),
      to: z.string().nullable(),
      reason: z.string().nullable(),
    }),
  ),
  approvals: z.array(
    z.object({
      id: z.string(),
      step: z.string(),
      state: z.string(),
      message: z.string(),
      by: z.string().nullable(),
      comment: z.string().nullable(),
      choice: z.string().nullable(),
      text: z.string().nullable(),
      at: at.nullable(),
      answers: z.array(z.object({ by: z.string(), decision: z.string(), comment: z.string().nullable(), at: at })),
    }),
  ),
  /** What the agent asked people while it worked. */
  questions: z.array(
    z.object({
      id: z.string(),
      message: z.string(),
      state: z.string(),
      by: z.string().nullable(),
      answer: z.string().nullable(),
      at: at.nullable(),
    }),
  ),
  /** Tools that its agents have used; `calls` other than 1: so many that came too fast to be told one by one. At most 2,000. */
  toolCalls: z.array(
    z.object({
      attempt: z.int(),
      at: at,
      tool: z.string(),
      kind: z.string(),
      title: z.string(),
      state: z.string(),
      calls: z.int(),
      failed: z.int(),
      refused: z.int(),
      durationMs: z.int().nullable(),
    }),
  ),
  cost: z.object({
    microUsd: z.number().nullable(),
    tokens: z.number().nullable(),
    models: z.array(
      z.object({
        model: z.string(),
        provider: z.string().nullable(),
        calls: z.int().nullable(),
        inputTokens: z.number(),
        outputTokens: z.number(),
        microUsd: z.number().nullable(),
      }),
    ),
  }),
  artifacts: z.array(z.object({ id: z.string(), name: z.string(), sha256: z.string(), bytes: z.int() })),
})
export type Proof = z.infer<typeof proofSchema>

/** A bundle with its name, which is its content: SHA-256 of the JSON text, to the byte. */
export const namedProofSchema = z.object({
  sha256: z.string(),
  /** The artifact that holds it; null where none was kept, or the record has gone on since. */
  artifact: z.string().nullable(),
  proof: proofSchema,
})
export type NamedProof = z.infer<typeof namedProofSchema>

export const runProofs = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id/proofs',
  summary:
    'Proof of work: for each task that left a commit, or for one task, what changed, what was run, and who approved.',
  params: z.object({ id: z.string().min(1).max(100) }),
  query: z.object({ task: z.string().min(1).max(200).optional() }),
  output: z.object({
    items: z.array(namedProofSchema),
    /** Tasks beyond the first 100 that left a commit. */
    more: z.int(),
  }),
})

export const taskProof = endpoint({
  method: 'GET',
  path: '/api/v1/proofs/:id',
  summary: 'The proof of work of a task as a document: JSON, or Markdown for people.',
  params: z.object({ id: z.string().min(1).max(200) }),
  query: z.object({ format: z.enum(['json', 'markdown']).default('json') }),
  reply: 'bytes',
})
