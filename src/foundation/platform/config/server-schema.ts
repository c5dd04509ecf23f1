import { isIP } from 'node:net'
import { isAppError } from '../../kernel/errors.ts'
import { z } from '../../kernel/schema.ts'
import { parseDuration } from '../../kernel/units.ts'

const port = z.int().min(0).max(65_535)
const path = z.string().min(1)

/** `100/1m`: requests within a time. `none`: no limit. */
export const rateLimitSchema = z.union([z.literal('none').transform(() => null), rate()], {
  error: 'expected requests within a time such as 100/1m, or none',
})

const origin = z
  .string()
  .refine((text) => text === '*' || isOrigin(text), 'expected an origin such as https://example.org, or *')
const network = z
  .string()
  .refine((text) => isIP(text.split('/')[0] ?? '') !== 0, 'expected an address or a range such as 10.0.0.0/8')

/** `server:` of leanvibe.yaml, but for what other schemas check. */
export const serverShape = {
  host: z.string().optional(),
  port: port.optional(),
  /** Says that a proxy before us does TLS, so that we may listen for other machines without. */
  plaintext: z.boolean().optional(),
  tls: z.strictObject({ cert: path, key: path }).optional(),
  /** A port of its own for /livez and /readyz. */
  healthPort: port.optional(),
  cors: z.array(origin).max(100).optional(),
  compression: z.enum(['auto', 'always', 'never']).optional(),
  trustProxy: z.array(network).max(100).optional(),
}

function rate() {
  return z.string().transform((text, context) => {
    const match = /^(\d{1,9})\/(.+)$/.exec(text)
    try {
      const windowMs = match === null ? 0 : parseDuration(match[2]!)
      const requests = Number(match?.[1])
      if (requests >= 1 && windowMs >= 1) return { requests, windowMs }
    } catch (error) {
      if (!isAppError(error)) throw error
    }
    context.addIssue({ code: 'custom', message: 'expected requests within a time such as 100/1m, or none' })
    return z.NEVER
  })
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}
