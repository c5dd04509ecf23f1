import { z } from 'zod'

/** What tools do; the kinds of the Agent Client Protocol. */
export const toldKinds = [
  ...(['read', 'search', 'think', 'edit', 'move', 'delete'] as const),
  ...(['execute', 'fetch', 'switch_mode', 'other'] as const),
] as const

/** What agents elsewhere tell of a tool that they use: its beginning, its end, or, where that is all they tell, both at once. */
export const toldToolShape = {
  /** Names the call: its end is told by the same. */
  call: z.string().min(1).max(200),
  tool: z.string().min(1).max(200),
  state: z.enum(['started', 'completed', 'failed', 'refused']),
  /** Default `other`. */
  kind: z.enum(toldKinds).optional(),
  /** One line for people. Default: the tool. */
  title: z.string().max(1_000).optional(),
}
export const toldToolSchema = z.object(toldToolShape)
export type ToldTool = z.output<typeof toldToolSchema>
