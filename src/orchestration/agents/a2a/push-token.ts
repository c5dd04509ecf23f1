import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from '../../../foundation/kernel/schema.ts'

/** What a notification token says: for whom news are, and until when. Times are seconds, as in any JSON Web Token. */
const claimsSchema = z.object({
  iss: z.literal('leanvibe'),
  aud: z.literal('a2a-notifications'),
  /** Tenant. */
  ten: z.string().min(1).max(100),
  /** Task. */
  sub: z.string().min(1).max(100),
  /** The lease of the task. */
  fence: z.number().int().min(0),
  iat: z.number(),
  exp: z.number(),
})
export type PushClaims = z.output<typeof claimsSchema>

const head = encode({ alg: 'HS256', typ: 'JWT' })

/** A JSON Web Token with HMAC-SHA256. */
export function signPushToken(key: Uint8Array, claims: PushClaims): string {
  const content = `${head}.${encode(claims)}`
  return `${content}.${signature(key, content).toString('base64url')}`
}

/** Null for anything but a token that the key has signed and whose time is not up; the header of ours is the only one. */
export function readPushToken(key: Uint8Array, token: string, now: Date): PushClaims | null {
  const [given, body, mark, ...more] = token.split('.')
  if (given !== head || body === undefined || mark === undefined || more.length > 0) return null
  const told = Buffer.from(mark, 'base64url')
  const right = signature(key, `${head}.${body}`)
  if (told.byteLength !== right.byteLength || !timingSafeEqual(told, right)) return null
  const claims = claimsSchema.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()))
  return claims.success && claims.data.exp * 1_000 > now.getTime() ? claims.data : null
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function signature(key: Uint8Array, content: string): Buffer {
  return createHmac('sha256', key).update(content).digest()
}
