import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { mergeStateNames } from './merge-states-contract.ts'

/** How a commit was put on top of a branch. */
export const placementSchema = z.object({
  how: z.enum(['fast-forward', 'rebase', 'merge', 'squash']),
  /** Commits that it brings. */
  commits: z.int(),
  /** Commits left out, as the branch had what they do. */
  leftOut: z.int(),
})
export type Placement = z.infer<typeof placementSchema>

export const mergeSchema = z.object({
  /** The task that does it; it names the merge. */
  id: z.string(),
  runId: z.string(),
  step: z.string(),
  item: z.int().nullable(),
  repo: z.string(),
  branch: z.string(),
  /** What is brought in. */
  commit: z.string(),
  state: z.enum(mergeStateNames),
  /** Its number among all merges of the tenant: who came first. */
  seq: z.int(),
  /** How many of the same branch are before it; null once it has ended. */
  ahead: z.int().nullable(),
  /** Why it is where it is, for people. */
  explanation: z.string(),
  /** Where the branch was when it was put on top. */
  target: z.string().nullable(),
  /** What the branch was moved to, or would have been. */
  candidate: z.string().nullable(),
  /** Files in conflict. */
  files: z.array(z.string()),
  reason: z.string().nullable(),
  queuedAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
})
export type MergeView = z.infer<typeof mergeSchema>

/** Merges that are put on one another and tested together. */
export const batchSchema = z.object({
  /** The merge whose attempt does it. */
  leader: z.string(),
  /** All of them, in the order in which they are put on one another; the leader is the first. */
  members: z.array(z.object({ id: z.string(), runId: z.string(), step: z.string(), item: z.int().nullable() })),
})
export type MergeBatch = z.infer<typeof batchSchema>

/** One thing that happened to a merge. */
export const mergeStepSchema = z.object({
  at: z.iso.datetime(),
  state: z.enum(mergeStateNames),
  /** With which it was tested; absent: alone. */
  batch: batchSchema.optional(),
  target: z.string().optional(),
  candidate: z.string().optional(),
  placed: placementSchema.optional(),
  checks: z.array(z.object({ name: z.string(), passed: z.boolean(), summary: z.string().optional() })).optional(),
  files: z.array(z.string()).optional(),
  reason: z.string().optional(),
})
export type MergeStep = z.infer<typeof mergeStepSchema>

const neighbourSchema = z.object({
  id: z.string(),
  runId: z.string(),
  step: z.string(),
  item: z.int().nullable(),
  state: z.enum(mergeStateNames),
  endedAt: z.iso.datetime().nullable(),
})
export type MergeNeighbour = z.infer<typeof neighbourSchema>

export const explainedMergeSchema = z.object({
  merge: mergeSchema,
  /** The merges of its branch that came before it and had not ended when it came, the first first; at most 100. */
  waitedFor: z.array(neighbourSchema),
  /** From its arrival to its beginning, or until now, milliseconds. */
  waitedMs: z.int(),
  /** What happened, the oldest first. */
  history: z.array(mergeStepSchema),
  /** The whole of it in sentences: order, wait, what was put on what, which checks ran, and what came of it. */
  story: z.array(z.string()),
})
export type ExplainedMerge = z.infer<typeof explainedMergeSchema>

export const listMerges = endpoint({
  method: 'GET',
  path: '/api/v1/merges',
  summary:
    'Merges, of all runs or of one and those that it called, the newest first; those that wait say what they wait for.',
  query: z.object({
    ...pageQueryShape,
    run: z.string().max(100).optional(),
    branch: z.string().max(250).optional(),
    state: z.enum(['open', ...mergeStateNames]).optional(),
  }),
  output: pageOf(mergeSchema),
})

export const showMerge = endpoint({
  method: 'GET',
  path: '/api/v1/merges/:id',
  summary: 'One merge, by the id of its task.',
  params: z.object({ id: z.string().min(1).max(200) }),
  output: mergeSchema,
})

export const explainMerges = endpoint({
  method: 'GET',
  path: '/api/v1/merges/:id/explanation',
  summary:
    'Why merges are where they are: of one merge, or of a run and the runs that it called, in the order of the queue.',
  params: z.object({ id: z.string().min(1).max(200) }),
  output: z.object({ items: z.array(explainedMergeSchema), more: z.boolean() }),
})
