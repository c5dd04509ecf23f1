import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { attemptContextSchema } from '../context-growth/context-growth-contract.ts'

const share = z.number().min(0).max(1)

/** The machine of the server that answers. */
const hostSchema = z.object({
  /** Share of all cores in use since the sample before; null in the first moment. */
  cpu: share.nullable(),
  /** Where a control group has a quota below it: that, which may be a fraction. */
  cores: z.number(),
  /** Load averages over 1, 5 and 15 minutes. */
  load: z.tuple([z.number(), z.number(), z.number()]).nullable(),
  memory: z.object({ usedBytes: z.number(), totalBytes: z.number() }),
  /** The file system of the data folder. */
  disk: z.object({ usedBytes: z.number(), totalBytes: z.number() }).nullable(),
  /** Received and sent since the sample before, a second; `capacity` is what the links carry, both in bytes a second. */
  network: z.object({ bytesPerSecond: z.number().nullable(), capacity: z.number().nullable() }).nullable(),
  /** Shares in use, 0 to 1; null where it cannot be told. */
  utilisation: z.object({
    cpu: share.nullable(),
    memory: share.nullable(),
    disk: share.nullable(),
    network: share.nullable(),
  }),
})
export type HostFigures = z.infer<typeof hostSchema>

/** Figures measured at `at`. A figure the platform cannot give is null, never zero. */
export const monitorSchema = z.object({
  at: z.iso.datetime(),
  /** Of all tenants together: null for who does not run the installation, as are `eventLagMs` and `databaseBytes`. */
  host: hostSchema.nullable(),
  agents: z.object({
    byState: z.record(z.string(), z.int()),
    slots: z.int(),
    used: z.int(),
  }),
  queue: z.array(
    z.object({
      pool: z.string(),
      state: z.enum(['pending', 'ready', 'waiting', 'leased', 'running']),
      count: z.int(),
      /** True: there are more. Counting stops at 10,000 of a pool that are ready, and of a tenant that wait or are at work. */
      atLeast: z.boolean(),
      /** How long the oldest has been in the queue, in seconds: of ready tasks, the oldest of those first in their lanes. */
      oldestSeconds: z.number().nullable(),
    }),
  ),
  /** The fullest contexts of agents at work that were heard of in the last hour, ten at most. */
  contexts: z.array(attemptContextSchema),
  /** Runs that have not ended, and of those started in the last 24 hours the ended ones; at most 10,000 of each sort. */
  runs: z.object({ byState: z.record(z.string(), z.int()) }),
  rates: z.object({
    /**
     * Tasks that ended, a second, over the last minute and the last five. Where these saw more than 50,000 events, over
     * the time of the newest 50,000.
     */
    throughput1m: z.number(),
    throughput5m: z.number(),
    /** Share of the tasks ended in the last five minutes that did not succeed; null when none ended. */
    failures5m: share.nullable(),
  }),
  /** Age of the oldest committed event that readers cannot see yet, in milliseconds; 0 when they see all. */
  eventLagMs: z.number().nullable(),
  databaseBytes: z.number().nullable(),
})
export type Monitor = z.infer<typeof monitorSchema>

export const showMonitor = endpoint({
  method: 'GET',
  path: '/api/v1/monitor',
  summary: 'True figures of agents, queue and runs at this moment, and of the installation for who runs it.',
  output: monitorSchema,
})
