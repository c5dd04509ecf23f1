import { databaseErrors } from './database-errors.ts'
import { Json, type SqlValue } from './sql.ts'

/** What goes over the wire: text, or raw bytes for a lone `bytea`. */
export type WireValue = string | Buffer | null

/** A Date at either end of its range stands for PostgreSQL's infinity. */
export const endOfTime = 8.64e15

/**
 * Every JS value as the text of a parameter; the server gives it its type. NUL and lone surrogates, which PostgreSQL
 * cannot store, become U+FFFD, in JSON too.
 */
export function encodeValues(values: readonly SqlValue[]): WireValue[] {
  return values.map(encodeValue)
}

export function encodeValue(value: SqlValue): WireValue {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (Array.isArray(value)) return encodeArray(value)
  return encodeScalar(value)
}

function encodeScalar(value: SqlValue): string | null {
  switch (typeof value) {
    case 'string':
      return storable(value)
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'undefined':
      return null
    case 'object':
      return value === null ? null : encodeObject(value)
    default:
      throw databaseErrors['value-not-encodable'](`a ${typeof value} cannot be stored`)
  }
}

function encodeObject(value: object): string {
  if (value instanceof Date) return encodeDate(value)
  if (value instanceof Json) return encodeJson(value.value)
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  if (value instanceof Map || value instanceof Set) {
    throw databaseErrors['value-not-encodable'](
      'a Map or Set has no JSON form: spread it into an object or array first',
    )
  }
  return encodeJson(value)
}

function encodeDate(date: Date): string {
  const time = date.getTime()
  if (time === endOfTime) return 'infinity'
  if (time === -endOfTime) return '-infinity'
  const text = Number.isNaN(time) ? '' : date.toISOString()
  if (!/^\d/.test(text) || text.startsWith('0000')) {
    throw databaseErrors['value-not-encodable'](`the date ${String(date)} is outside the years 1 to 9999`)
  }
  return text
}

function encodeJson(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw databaseErrors['value-not-encodable']('a value cannot be written as JSON', { cause })
  }
  if (text === undefined) throw databaseErrors['value-not-encodable'](`a ${typeof value} has no JSON form`)
  if (!text.includes('\\u')) return text
  // JSON.stringify writes NUL and lone surrogates as escapes, and no other character in the range d800-dfff.
  return text.replace(/\\(?:u(0000|d[89a-f][0-9a-f]{2})|.)/g, (match, unstorable) => (unstorable ? '\ufffd' : match))
}

function storable(text: string): string {
  const formed = text.isWellFormed() ? text : text.toWellFormed()
  return formed.includes('\0') ? formed.replaceAll('\0', '\ufffd') : formed
}

/** The array literal `{...}`; every element but numbers, booleans and NULL is quoted, so no text can end it early. */
function encodeArray(values: readonly SqlValue[]): string {
  return `{${values.map(encodeElement).join(',')}}`
}

function encodeElement(value: SqlValue): string {
  if (Array.isArray(value)) return encodeArray(value)
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  const text = encodeScalar(value)
  if (text === null) return 'NULL'
  // Most texts have nothing to escape, and looking for two characters costs less than a pattern.
  return text.includes('"') || text.includes('\\') ? `"${text.replace(/[\\"]/g, '\\$&')}"` : `"${text}"`
}
