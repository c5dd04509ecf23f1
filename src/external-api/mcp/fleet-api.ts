import type { z } from 'zod'
import type { Endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

// biome-ignore lint/suspicious/noExplicitAny: any endpoint will do; what goes in and out is tied to it where it is called
export type AnyEndpoint = Endpoint<any, any, any, any, any>

export interface FleetArgs {
  readonly params?: object
  readonly query?: object
  readonly body?: unknown
  readonly signal?: AbortSignal
}

export interface FleetContent {
  readonly mediaType: string
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * The platform as tools see it: its endpoints, for one caller. Every call is allowed or refused as the endpoint's route
 * has it, in the tenant of the caller. Failures are AppErrors. The HTTP client is one; `createRouteCaller` is another.
 */
export interface FleetApi {
  call<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
    endpoint: Endpoint<P, Q, B, O, 'json'>,
    args?: FleetArgs,
  ): Promise<z.output<O>>
  lines<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
    endpoint: Endpoint<P, Q, B, O, 'lines'>,
    args: FleetArgs,
  ): AsyncIterable<z.output<O>>
  bytes<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
    endpoint: Endpoint<P, Q, B, O, 'bytes'>,
    args: FleetArgs,
  ): Promise<FleetContent>
  /** Whether the caller holds the permission of the endpoint; where that cannot be known, true. */
  may(endpoint: AnyEndpoint): boolean
}
