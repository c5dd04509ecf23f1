import { httpErrors } from './http-errors.ts'

/** Deeper documents are refused before they are read: what walks them later does so by recursion. */
export const mostNesting = 100

/**
 * Parses a JSON body. Refuses nesting beyond `mostNesting`, and the keys `__proto__` and `constructor.prototype`, by which
 * a document could change objects that are not its own. NUL and lone surrogates, which PostgreSQL cannot keep, become
 * U+FFFD. Nothing at all stands for no body.
 */
export function parseJsonBody(text: string): unknown {
  if (text.trim() === '') return undefined
  if (isTooDeep(text)) {
    throw httpErrors['request-malformed'](`the body is nested deeper than ${mostNesting} levels`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw httpErrors['request-malformed']('the body is not valid JSON', { cause })
  }
  // The text is looked at first, because hardly any body names them.
  if (/__proto__|\\u00|constructor/.test(text) && poisons(value)) {
    throw httpErrors['request-malformed']('the body has a key that would change the prototype of objects')
  }
  return /\\u(?:0000|d[89a-f])/i.test(text) ? storable(value) : value
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value)
  if (Array.isArray(value)) return value.map(storable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storableText(key), storable(inner)]))
}

function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}

function isTooDeep(text: string): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) i = endOfString(text, i)
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > mostNesting) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}

/** Index of the closing quote of the string that begins at `start`; beyond the text where there is none. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x5c) i++
    else if (code === 0x22) return i
  }
  return text.length
}

/** Only objects that the parser made are looked at, at a depth that has been checked. */
function poisons(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(poisons)
  return Object.entries(value).some(
    ([key, inner]) =>
      key === '__proto__' ||
      (key === 'constructor' && typeof inner === 'object' && inner !== null && Object.hasOwn(inner, 'prototype')) ||
      poisons(inner),
  )
}
