import { databaseErrors } from './database-errors.ts'
import { endOfTime } from './encode-values.ts'

type Decoder = (text: string) => unknown

const decodeInteger: Decoder = (text) => {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw databaseErrors['value-not-decodable'](`${text} does not fit a number`)
  return value
}

/** `2026-01-31 12:00:00.123456+00`; microseconds beyond the millisecond are cut off. */
const decodeTimestamp: Decoder = (text) => {
  if (text === 'infinity') return new Date(endOfTime)
  if (text === '-infinity') return new Date(-endOfTime)
  const date = new Date(`${text.replace(' ', 'T')}${/[+-]\d\d$/.test(text) ? ':00' : ''}`)
  if (Number.isNaN(date.getTime())) throw databaseErrors['value-not-decodable'](`${text} is not a date of our era`)
  return date
}

const decodeBytes: Decoder = (text) => Buffer.from(text.slice(2), 'hex')
const decodeBoolean: Decoder = (text) => text === 't'
const decodeJson: Decoder = (text) => JSON.parse(text)
const asText: Decoder = (text) => text

/** By type: the oids of the scalar and of its array (fixed in the PostgreSQL catalogue) and the decoder of both. */
const types: readonly (readonly [scalar: number, array: number, decode: Decoder])[] = [
  [16, 1000, decodeBoolean],
  [17, 1001, decodeBytes],
  [18, 1002, asText],
  [19, 1003, asText],
  [20, 1016, decodeInteger],
  [21, 1005, Number],
  [23, 1007, Number],
  [25, 1009, asText],
  [26, 1028, Number],
  [114, 199, decodeJson],
  [700, 1021, Number],
  [701, 1022, Number],
  [1042, 1014, asText],
  [1043, 1015, asText],
  [1082, 1182, asText],
  [1114, 1115, asText],
  [1184, 1185, decodeTimestamp],
  [1186, 1187, asText],
  [1700, 1231, asText],
  [2205, 2210, asText],
  [2950, 2951, asText],
  [3802, 3807, decodeJson],
  [5038, 5039, asText],
  [5069, 271, asText],
]

const decoders = new Map<number, Decoder>()
for (const [scalar, array, decode] of types) {
  decoders.set(scalar, decode)
  decoders.set(array, (text) => decodeArray(text, decode))
}

/** The `types` option of the pg client: one table for both databases. Unlisted types arrive as text. */
export const decodeTypes = {
  getTypeParser: (oid: number): Decoder => decoders.get(oid) ?? asText,
}

/** Reads an array literal such as `{1,NULL,"a\"b",{2,3}}`. */
export function decodeArray(text: string, decode: Decoder): unknown[] {
  let at = text.startsWith('[') ? text.indexOf('=') + 1 : 0

  function readArray(): unknown[] {
    const elements: unknown[] = []
    at += 1
    while (text[at] !== '}') {
      if (text[at] === ',') at += 1
      elements.push(text[at] === '{' ? readArray() : text[at] === '"' ? decode(readQuoted()) : readBare())
    }
    at += 1
    return elements
  }

  function readQuoted(): string {
    const start = at + 1
    let end = start
    let escaped = false
    while (text[end] !== '"') {
      if (text[end] === '\\') {
        escaped = true
        end += 1
      }
      end += 1
    }
    at = end + 1
    const raw = text.slice(start, end)
    return escaped ? raw.replace(/\\(.)/gs, '$1') : raw
  }

  function readBare(): unknown {
    const start = at
    while (text[at] !== ',' && text[at] !== '}') at += 1
    const raw = text.slice(start, at)
    return raw === 'NULL' ? null : decode(raw)
  }

  return readArray()
}
