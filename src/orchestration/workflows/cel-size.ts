import type { JsonValue } from '../../foundation/kernel/json.ts'

/**
 * An upper bound of what a value can be, known before it is computed. `chars`: characters, if it is text; `length`:
 * elements, if it is a list or a map; `weight`: all of it, one for each value and each 16 characters. `known` is the
 * value itself where it is already there.
 */
export interface Size {
  readonly chars: number
  readonly length: number
  readonly weight: number
  readonly known?: JsonValue
  /** The bound of each element (of each value, for a map). */
  element(): Size
}

const charsPerUnit = 16

export function weightOfChars(chars: number): number {
  return 1 + chars / charsPerUnit
}

export const scalarSize: Size = { chars: 40, length: 0, weight: 1, element: () => scalarSize }

export function textSize(chars: number): Size {
  return { chars, length: 0, weight: weightOfChars(chars), element: () => scalarSize }
}

export function listSize(length: number, element: () => Size, weight = 1 + length * element().weight): Size {
  return { chars: 0, length, weight, element }
}

/** What is known of a part of a value of which only the weight is known. */
export function partSize(weight: number): Size {
  return { chars: weight * charsPerUnit, length: weight, weight, element: () => partSize(weight) }
}

export function largest(...sizes: readonly Size[]): Size {
  const chars = Math.max(0, ...sizes.map((size) => size.chars))
  const length = Math.max(0, ...sizes.map((size) => size.length))
  const weight = Math.max(1, ...sizes.map((size) => size.weight))
  return { chars, length, weight, element: () => largest(...sizes.map((size) => size.element())) }
}

export function knownSize(value: JsonValue): Size {
  if (typeof value === 'string') return { ...textSize(value.length), known: value }
  if (value === null || typeof value !== 'object') return { ...scalarSize, known: value }
  const cached = sizes.get(value)
  if (cached !== undefined) return cached
  const entries: readonly JsonValue[] = Array.isArray(value) ? value : Object.values(value)
  const parts = entries.map(knownSize)
  const keys = Array.isArray(value) ? [] : Object.keys(value)
  const longestKey = keys.reduce((longest, key) => Math.max(longest, key.length), 0)
  const weight =
    1 +
    parts.reduce((sum, part) => sum + part.weight, 0) +
    keys.reduce((sum, key) => sum + weightOfChars(key.length), 0)
  let element: Size | undefined
  const size: Size = {
    chars: 0,
    length: entries.length,
    weight,
    known: value,
    // A comprehension over a map visits its keys, access reads its values: the bound covers both.
    element: () => (element ??= keys.length > 0 ? bound([...parts, textSize(longestKey)]) : bound(parts)),
  }
  sizes.set(value, size)
  return size
}

const sizes = new WeakMap<object, Size>()

/** `largest` without spreading: lists may be long. */
function bound(parts: readonly Size[]): Size {
  let chars = 0
  let length = 0
  let weight = 1
  for (const part of parts) {
    chars = Math.max(chars, part.chars)
    length = Math.max(length, part.length)
    weight = Math.max(weight, part.weight)
  }
  let inner: Size | undefined
  return { chars, length, weight, element: () => (inner ??= bound(parts.map((part) => part.element()))) }
}
