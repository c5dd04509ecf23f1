import type { JsonValue } from '../../foundation/kernel/json.ts'

/** NUL characters and halves of surrogate pairs are legal in JSON, but no database takes them: they become U+FFFD. */
export function storableJson(value: JsonValue): JsonValue {
  if (typeof value === 'string') return storableText(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: JsonValue) => storableJson(item))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [storableText(key), storableJson(item)]))
}

export function storableText(text: string): string {
  return (text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text).toWellFormed()
}
