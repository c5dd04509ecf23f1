import type { JsonValue } from '../../foundation/kernel/json.ts'
import { ArtifactMap, isArtifactValue } from './artifact-value.ts'

/** What CEL computes with: whole numbers as bigint, objects as Map (a key such as `constructor` is then only data). */
export type CelValue = string | number | bigint | boolean | null | readonly CelValue[] | ReadonlyMap<string, CelValue>

const converted = new WeakMap<object, CelValue>()

/** JSON to CEL. Results are kept by identity: contexts are immutable and read by many expressions. */
export function toCel(value: JsonValue): CelValue {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (value === null || typeof value !== 'object') return value
  const known = converted.get(value)
  if (known !== undefined) return known
  const result: CelValue = Array.isArray(value)
    ? value.map(toCel)
    : isArtifactValue(value)
      ? new ArtifactMap(value)
      : new Map(Object.entries(value).map(([key, inner]) => [key, toCel(inner as JsonValue)]))
  converted.set(value, result)
  return result
}

export class NotJsonError extends Error {}

/** CEL to JSON. Throws `NotJsonError` for what JSON cannot hold: whole numbers beyond 2^53, infinities, bytes, types. */
export function fromCel(value: unknown): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'bigint': {
      const number = Number(value)
      if (!Number.isSafeInteger(number)) throw new NotJsonError(`the whole number ${value} is too large for JSON`)
      return number
    }
    case 'number':
      if (!Number.isFinite(value)) throw new NotJsonError(`${value} is not a JSON number`)
      return value
    case 'object':
      return fromCelObject(value)
    default:
      throw new NotJsonError(`a ${typeof value} is not a JSON value`)
  }
}

function fromCelObject(value: object | null): JsonValue {
  if (value === null) return null
  if (Array.isArray(value)) return value.map(fromCel)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [keyOf(key), fromCel(inner)]))
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new NotJsonError('the timestamp is out of range')
    return value.toISOString()
  }
  if (value.constructor === Object) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fromCel(inner)]))
  }
  if (Object.prototype.toString.call(value) === '[object google.protobuf.Duration]') return String(value)
  throw new NotJsonError('the result is not a JSON value (a type, bytes or an unsigned number)')
}

function keyOf(key: unknown): string {
  if (typeof key === 'string' || typeof key === 'bigint' || typeof key === 'boolean') return String(key)
  throw new NotJsonError('a key of the resulting map is not text')
}
