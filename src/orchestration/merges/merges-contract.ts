import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { mergeStateNames } from './merge-states-contract.ts'

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

export const listMerges = endpoint({
  method: 'GET',
  path: '/api/v1/merges',
  summary: 'Merges, the newest first; those that wait say what they wait for.',
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
