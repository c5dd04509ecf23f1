import type { JsonValue } from '../../foundation/kernel/json.ts'
import { z } from '../../foundation/kernel/schema.ts'
import type { AnyEndpoint, FleetApi } from './fleet-api.ts'

/** What a call of a tool is given besides its arguments. */
export interface ToolContext {
  readonly api: FleetApi
  readonly signal: AbortSignal
  /** Tells the client how far it is; of no effect where the client did not ask. */
  progress(done: number, total: number | null, message: string): Promise<void>
}

/** What a tool of the fleet gives: a document, or words. */
export type FleetAnswer =
  | { readonly document: JsonValue }
  | { readonly text: string }
  | { readonly bytes: Uint8Array; readonly mediaType: string; readonly uri: string }

/** A tool as the list of all of them holds it: the types of its input are checked where it is made. */
export interface FleetTool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: z.ZodObject
  /** It changes nothing. */
  readonly readOnly: boolean
  /** The endpoints that it calls; who may use none of them does not see it. */
  readonly endpoints: readonly AnyEndpoint[]
  // biome-ignore lint/suspicious/noExplicitAny: fleetTool() has tied it to the input
  run(input: any, context: ToolContext): Promise<FleetAnswer>
}

export function fleetTool<I extends z.ZodObject>(
  tool: Omit<FleetTool, 'input' | 'run'> & {
    readonly input: I
    run(input: z.output<I>, context: ToolContext): Promise<FleetAnswer>
  },
): FleetTool {
  return tool
}

export const idField = z.string().min(1).max(100)
export const pageFields = {
  limit: z.int().min(1).max(100).default(20),
  after: z.string().max(500).optional().describe('`next` of the page before.'),
}

/** A document of ours as JSON: dates and the like are texts already. */
export function documentOf(value: unknown): FleetAnswer {
  return { document: value as JsonValue }
}
