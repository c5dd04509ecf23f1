import { z } from '../../foundation/kernel/schema.ts'
import { parseSize } from '../../foundation/kernel/units.ts'
import {
  closed,
  durationField,
  environmentNameField,
  identifierField,
  labelField,
  sizeField,
  textField,
} from './field-contract.ts'

/** How hard an agent is to think; `depthTable` gives each its time, money and label. */
export const depthSchema = z.enum(['standard', 'deep', 'ultrathink'])

export const backoffSchema = closed({
  initial: durationField.optional().describe('The pause before the second attempt. Default 1s.'),
  factor: z
    .number()
    .min(1)
    .max(10)
    .optional()
    .describe('Each pause is this much longer than the one before. Default 2.'),
  max: durationField.optional().describe('No pause is longer. Default 5m.'),
  jitter: z.number().min(0).max(1).optional().describe('The random share of each pause, 0 to 1. Default 0.2.'),
})

export const retrySchema = closed({
  attempts: z.int().min(1).max(100).describe('How many attempts in all, the first included.'),
  backoff: backoffSchema.optional(),
  on: z
    .array(z.union([z.int().min(1).max(255), labelField]))
    .min(1)
    .optional()
    .describe(
      'Which failures are tried again: error codes (exit-code, signal, timeout, ...) or exit codes. Default: all that may pass.',
    ),
}).meta({ id: 'retry' })

const resourcesShape = {
  cpu: z.number().positive().max(1024).optional().describe('Cores. Default 1.'),
  memory: sizeField.optional().describe('Default 512MB.'),
  disk: sizeField.optional().describe('Default 1GB.'),
  network: z.number().positive().optional().describe('Megabits a second. Default 10.'),
}

export const resourcesSchema = closed({
  ...resourcesShape,
  limits: closed({
    cpu: resourcesShape.cpu.describe('Cores. Work that goes on using more is held back, or ended.'),
    memory: sizeField.optional().describe('Work that uses more is ended.'),
    disk: sizeField.optional().describe('What it may write into its folders. Work that writes more is ended.'),
    network: resourcesShape.network.describe(
      'Megabits a second, both ways. Work that goes on using more is ended, where it has a network of its own; elsewhere it cannot be told.',
    ),
  })
    .optional()
    .describe('What it may use at most. Default: no limit. What it asks for, above, is what is set aside for it.'),
})
  .superRefine(({ limits = {}, ...requests }, context) => {
    const sizes = { cpu: Number, memory: bytesOf, disk: bytesOf, network: Number }
    for (const name of ['cpu', 'memory', 'disk', 'network'] as const) {
      const [request, limit] = [requests[name], limits[name]]
      if (request === undefined || limit === undefined || sizes[name](limit) >= sizes[name](request)) continue
      context.addIssue({
        code: 'custom',
        path: ['limits', name],
        message: `expected at least what is asked for: ${request}`,
      })
    }
  })
  .meta({ id: 'resources' })

export const budgetSchema = closed({
  usd: z.number().positive().optional().describe('US dollars.'),
  tokens: z.int().positive().optional(),
  runs: z.int().positive().optional().describe('Attempts of tasks.'),
  cpu: durationField.optional().describe('Processor time.'),
  wall: durationField.optional().describe('Elapsed time.'),
}).meta({ id: 'budget' })

export const concurrencySchema = closed({
  key: textField.describe('Holders of the same key share the limit. May hold ${{ }}.'),
  limit: z.int().min(1).max(10_000).optional().describe('How many at once. Default 1.'),
}).meta({ id: 'concurrency' })

/** Where a named output is read from. */
export const outputSourceSchema = z.discriminatedUnion('from', [
  closed({ from: z.literal('stdout') }).describe('What the process printed, without the last line break.'),
  closed({
    from: z.literal('json'),
    select: z
      .string()
      .regex(/^[^.]+(\.[^.]+)*$/, 'expected keys joined by dots')
      .optional(),
  }).describe('What the process printed, parsed as JSON; `select: a.b` takes a part.'),
  closed({ from: z.literal('file'), path: relativePath() }).describe('One file, kept as an artifact.'),
  closed({ from: z.literal('files'), paths: z.array(relativePath()).min(1) }).describe(
    'Files by glob, kept as artifacts.',
  ),
])

export const outputsSchema = z
  .record(
    identifierField,
    z.union([
      z.enum(['stdout', 'json']).transform((from): z.output<typeof outputSourceSchema> => ({ from })),
      outputSourceSchema,
    ]),
  )
  .meta({ id: 'outputs' })

export const environmentSchema = z.record(environmentNameField, textField).meta({ id: 'environment' })

/** 0 for what is not a size: that is told elsewhere. */
function bytesOf(text: unknown): number {
  return sizeField.safeParse(text).success ? parseSize(String(text)) : 0
}

/** A path inside the workspace. */
export function relativePath() {
  return z
    .string()
    .min(1)
    .max(1_024)
    .refine((path) => !/^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0/.test(path), 'expected a path inside the workspace')
}
