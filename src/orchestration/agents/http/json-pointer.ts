import type { JsonValue } from '../../../foundation/kernel/json.ts'

/** The value at a JSON pointer (RFC 6901); undefined where there is none. The empty pointer is the whole. */
export function atPointer(value: JsonValue, pointer: string): JsonValue | undefined {
  let at: JsonValue | undefined = value
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof at !== 'object' || at === null) return undefined
    if (Array.isArray(at)) at = /^(?:0|[1-9]\d{0,8})$/.test(key) ? at[Number(key)] : undefined
    else at = Object.hasOwn(at, key) ? (at as Record<string, JsonValue>)[key] : undefined
    if (at === undefined) return undefined
  }
  return at
}
