/** A regular expression as a tree. */
export type PatternNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'char'; readonly accepts: (code: number) => boolean }
  | { readonly kind: 'assert'; readonly where: 'start' | 'end' | 'word' | 'not-word' }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number | null }

export class RegexSyntaxError extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

type Accepts = (code: number) => boolean

const limits = { length: 1_000, repeat: 100, size: 2_000, depth: 50 }
const classes: Readonly<Record<string, Accepts>> = {
  d: (code) => code >= 48 && code <= 57,
  w: (code) => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95,
  s: (code) => code === 32 || (code >= 9 && code <= 13),
}
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7 }

/** Parses literals, `.`, classes, groups, `|`, `* + ? {m,n}` (greedy or lazy), `^ $ \b \B` and a leading `(?i)`. */
export function parsePattern(source: string): PatternNode {
  if (source.length > limits.length) fail(`the pattern is longer than ${limits.length} characters`, 0)
  const ignoreCase = source.startsWith('(?i)')
  let at = ignoreCase ? 4 : 0
  let depth = 0

  const root = choice()
  if (at < source.length) fail('unmatched )', at)
  sizeOf(root)
  return root

  function fail(message: string, where: number): never {
    throw new RegexSyntaxError(message, where)
  }

  function choice(): PatternNode {
    if (++depth > limits.depth) fail('the pattern is nested too deep', at)
    const parts = [sequence()]
    while (source[at] === '|') {
      at++
      parts.push(sequence())
    }
    depth--
    return parts.length === 1 ? (parts[0] as PatternNode) : { kind: 'choice', parts }
  }

  function sequence(): PatternNode {
    const parts: PatternNode[] = []
    while (at < source.length && source[at] !== '|' && source[at] !== ')') parts.push(repeated(atom()))
    return parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts }
  }

  function repeated(part: PatternNode): PatternNode {
    const range = quantifier()
    if (range === null) return part
    if (source[at] === '?') at++
    if (/^[*+?]/.test(source.slice(at)) || /^\{\d/.test(source.slice(at))) fail('a quantifier follows a quantifier', at)
    return { kind: 'repeat', part, ...range }
  }

  function quantifier(): { min: number; max: number | null } | null {
    const char = source[at]
    if (char === '*' || char === '+' || char === '?') {
      at++
      return char === '*' ? { min: 0, max: null } : char === '+' ? { min: 1, max: null } : { min: 0, max: 1 }
    }
    const counted = /^\{(\d+)(,?)(\d*)\}/.exec(source.slice(at))
    if (counted === null) return null
    const min = Number(counted[1])
    const max = counted[2] === '' ? min : counted[3] === '' ? null : Number(counted[3])
    if (min > limits.repeat || (max ?? 0) > limits.repeat || (max !== null && max < min)) {
      fail(`a count must be between 0 and ${limits.repeat}, the smaller first`, at)
    }
    at += counted[0].length
    return { min, max }
  }

  function atom(): PatternNode {
    const start = at
    const char = take()
    if (char === '(') {
      if (source[at] === '?') {
        if (source[at + 1] !== ':') fail('only (?: ) groups, and (?i) at the start, are supported', start)
        at += 2
      }
      const inner = choice()
      if (source[at] !== ')') fail('( has no matching )', start)
      at++
      return inner
    }
    if (char === '[') return { kind: 'char', accepts: folded(bracket(start)) }
    if (char === '.') return { kind: 'char', accepts: (code) => code !== 10 }
    if (char === '^') return { kind: 'assert', where: 'start' }
    if (char === '$') return { kind: 'assert', where: 'end' }
    if (char === '*' || char === '+' || char === '?') fail('a quantifier has nothing to repeat', start)
    if (char === '\\') {
      if (source[at] === 'b' || source[at] === 'B') {
        return { kind: 'assert', where: take() === 'b' ? 'word' : 'not-word' }
      }
      return { kind: 'char', accepts: folded(escaped(start)) }
    }
    const code = char.codePointAt(0) as number
    return { kind: 'char', accepts: folded((other) => other === code) }
  }

  function take(): string {
    const char = String.fromCodePoint(source.codePointAt(at) as number)
    at += char.length
    return char
  }

  function escaped(start: number): Accepts {
    if (at >= source.length) fail('the pattern ends with \\', start)
    const char = take()
    const named = classes[char.toLowerCase()]
    if (named !== undefined) return char === char.toLowerCase() ? named : (code) => !named(code)
    const code = escapedCode(char, start)
    return (other) => other === code
  }

  function escapedCode(char: string, start: number): number {
    if (controls[char] !== undefined) return controls[char]
    if (char === 'x') {
      const hex = /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/.exec(source.slice(at))
      if (hex === null) fail('\\x must be followed by two hexadecimal digits or {...}', start)
      at += (hex as RegExpExecArray)[0].length
      return Number.parseInt(hex?.[1] ?? hex?.[2] ?? '', 16)
    }
    if (/[A-Za-z0-9]/.test(char)) fail(`\\${char} is not supported`, start)
    return char.codePointAt(0) as number
  }

  function bracket(start: number): Accepts {
    const negated = source[at] === '^'
    if (negated) at++
    const tests: Accepts[] = []
    for (let first = true; first || source[at] !== ']'; first = false) {
      if (at >= source.length) fail('[ has no matching ]', start)
      const low = member(start)
      if (typeof low === 'number' && source[at] === '-' && source[at + 1] !== ']' && at + 1 < source.length) {
        at++
        const high = member(start)
        if (typeof high !== 'number' || high < low) fail('a range in [ ] runs backwards', start)
        tests.push((code) => code >= low && code <= (high as number))
      } else {
        tests.push(typeof low === 'number' ? (code) => code === low : low)
      }
    }
    at++
    return (code) => tests.some((test) => test(code)) !== negated
  }

  function member(start: number): number | Accepts {
    const char = take()
    if (char === '[' && source[at] === ':') fail('[: :] classes are not supported', start)
    if (char !== '\\') return char.codePointAt(0) as number
    if (at >= source.length) fail('[ has no matching ]', start)
    if (/[dwsDWS]/.test(source[at] as string)) return escaped(start)
    return escapedCode(take(), start)
  }

  function folded(accepts: Accepts): Accepts {
    if (!ignoreCase) return accepts
    return (code) => {
      const char = String.fromCodePoint(code)
      return (
        accepts(code) ||
        accepts(char.toLowerCase().codePointAt(0) as number) ||
        accepts(char.toUpperCase().codePointAt(0) as number)
      )
    }
  }

  /** How many states the tree becomes; repeats multiply. */
  function sizeOf(node: PatternNode): number {
    const size = (() => {
      switch (node.kind) {
        case 'sequence':
        case 'choice':
          return node.parts.reduce((sum, part) => sum + sizeOf(part) + 1, 0)
        case 'repeat':
          return (sizeOf(node.part) + 1) * Math.max(node.min + (node.max === null ? 1 : 0), node.max ?? 0, 1)
        default:
          return 1
      }
    })()
    if (size > limits.size) fail('the pattern is too large (its counts multiply)', 0)
    return size
  }
}
