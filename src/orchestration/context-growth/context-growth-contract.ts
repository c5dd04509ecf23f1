import { z } from 'zod'

/** Shares of its context from which on an agent is warned about, and from which on it has to begin anew. */
export const warnShare = 0.5
export const checkpointShare = 0.85

/** `checkpoint`: what was said is to be summarised now, before the limit is reached. */
export const contextLevelSchema = z.enum(['ok', 'warn', 'checkpoint'])
export type ContextLevel = z.infer<typeof contextLevelSchema>

/** How full the context of an agent at work is. Tokens. */
export const contextUseSchema = z.object({
  used: z.int(),
  limit: z.int(),
  /** `used` of `limit`. */
  share: z.number(),
  level: contextLevelSchema,
  /** What a turn adds, in three of four turns at most; null before the second turn. */
  growth: z.int().nullable(),
  /** Turns of that size until it has to begin anew; null: nobody can tell. */
  turnsLeft: z.int().nullable(),
  turns: z.int(),
  /** How often it was summarised and begun anew. */
  summaries: z.int(),
  updatedAt: z.iso.datetime(),
})
export type ContextUse = z.infer<typeof contextUseSchema>

/** With the attempt that it belongs to. */
export const attemptContextSchema = z.object({
  agentId: z.string(),
  runId: z.string(),
  taskId: z.string(),
  step: z.string(),
  ...contextUseSchema.shape,
})
export type AttemptContextUse = z.infer<typeof attemptContextSchema>
