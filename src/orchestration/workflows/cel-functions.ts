import { largest, listSize, partSize, type Size, scalarSize, textSize, weightOfChars } from './cel-size.ts'

/** What a call costs beside its arguments, and how large its result can be. One unit is about a tenth of a microsecond. */
export interface CallBound {
  readonly cost: number
  readonly size: Size
}

type Bound = (...args: Size[]) => CallBound

const fixed: Bound = () => ({ cost: 1, size: scalarSize })
const scan: Bound = (text) => ({ cost: text ? text.weight : 1, size: scalarSize })
const sameText: Bound = (text) => ({ cost: text ? text.weight : 1, size: text ? textSize(text.chars * 3) : scalarSize })
/** Searching text in text: the worst case is the product. */
const search: Bound = (text, what) => ({
  cost: 1 + ((text?.chars ?? 0) * (16 + (what?.chars ?? 0))) / 256,
  size: scalarSize,
})
const calendar: Bound = () => ({ cost: 500, size: scalarSize })

/** The functions that expressions may call; everything else of the library is refused. */
export const globalFunctions: Readonly<Record<string, Bound>> = {
  size: scan,
  string: (value) => ({ cost: value ? value.weight : 1, size: textSize(Math.max(40, value?.chars ?? 0)) }),
  int: scan,
  double: scan,
  bool: scan,
  type: fixed,
  dyn: (value) => ({ cost: 1, size: value ?? scalarSize }),
  has: fixed,
  duration: scan,
  timestamp: calendar,
}

/** Methods: the receiver is the first argument. */
export const methods: Readonly<Record<string, Bound>> = {
  size: scan,
  contains: search,
  startsWith: scan,
  endsWith: scan,
  indexOf: search,
  lastIndexOf: search,
  lowerAscii: sameText,
  upperAscii: sameText,
  trim: sameText,
  substring: sameText,
  matches: (text, pattern) => ({ cost: 10 + matchCost(text, pattern), size: scalarSize }),
  split: (text, separator) => splitBound(text ?? scalarSize, separator),
  join: (list, separator) => {
    const length = list?.length ?? 0
    const chars = Math.min((list?.weight ?? 0) * 16, length * (list?.element().chars ?? 0))
    const result = textSize(chars + length * (separator?.chars ?? 0))
    return { cost: length + result.weight, size: result }
  },
  getFullYear: calendar,
  getMonth: calendar,
  getDate: calendar,
  getDayOfMonth: calendar,
  getDayOfWeek: calendar,
  getDayOfYear: calendar,
  getHours: calendar,
  getMinutes: calendar,
  getSeconds: calendar,
  getMilliseconds: calendar,
}

/** Macros that visit each element: `list.map(name, body)`. */
export const comprehensions: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])

/** A pattern of n characters becomes at most 2,000 states, and usually n; each character of the text visits them all. */
function matchCost(text: Size | undefined, pattern: Size | undefined): number {
  const source = typeof pattern?.known === 'string' ? pattern.known : undefined
  const states = source !== undefined && !source.includes('{') ? source.length + 2 : 2_000
  return ((text?.chars ?? 0) * states) / 2
}

function splitBound(text: Size, separator: Size | undefined): CallBound {
  if (typeof text.known === 'string' && typeof separator?.known === 'string') {
    const parts = text.known.split(separator.known)
    const longest = parts.reduce((most, part) => Math.max(most, part.length), 0)
    const weight = 1 + parts.length + text.known.length / 16
    return { cost: weight, size: listSize(parts.length, () => textSize(longest), weight) }
  }
  const length = text.chars + 1
  return { cost: length, size: listSize(length, () => textSize(text.chars), 1 + length + text.weight) }
}

/** The bound of `left op right`. */
export function operatorBound(op: string, left: Size, right: Size): CallBound {
  switch (op) {
    case '+': {
      const size: Size = {
        chars: left.chars + right.chars,
        length: left.length + right.length,
        weight: left.weight + right.weight,
        element: () => largest(left.element(), right.element()),
      }
      return { cost: Math.max(1, size.length, weightOfChars(size.chars)), size }
    }
    case '==':
    case '!=':
      return { cost: 1 + Math.min(left.weight, right.weight), size: scalarSize }
    case 'in':
      return { cost: 1 + right.length * (1 + Math.min(left.weight, right.element().weight)), size: scalarSize }
    case '[]':
    case '.':
      return { cost: 1, size: left.known === undefined && left.length === 0 ? partSize(left.weight) : left.element() }
    default:
      return { cost: 1 + Math.min(left.weight, right.weight), size: scalarSize }
  }
}
