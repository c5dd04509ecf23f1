import { type PatternNode, parsePattern } from './regex-pattern.ts'

/** A compiled pattern. `test` looks for a match anywhere, in time proportional to text x states, whatever the pattern. */
export interface LinearRegex {
  readonly states: number
  test(text: string): boolean
}

type State =
  | { readonly op: 'char'; readonly accepts: (code: number) => boolean; next: number }
  | { readonly op: 'split'; next: number; other: number }
  | { readonly op: 'assert'; readonly where: 'start' | 'end' | 'word' | 'not-word'; next: number }
  | { readonly op: 'match' }

/**
 * Compiles the RE2 subset that CEL's `matches` needs (no back references, no look-around) to Thompson's automaton;
 * all threads advance together, so no pattern can make it backtrack. Throws `RegexSyntaxError`.
 */
export function compileRegex(source: string): LinearRegex {
  const states: State[] = []
  const add = (state: State) => states.push(state) - 1

  function emit(node: PatternNode, next: number): number {
    switch (node.kind) {
      case 'empty':
        return next
      case 'char':
        return add({ op: 'char', accepts: node.accepts, next })
      case 'assert':
        return add({ op: 'assert', where: node.where, next })
      case 'sequence':
        return node.parts.reduceRight((after, part) => emit(part, after), next)
      case 'choice':
        return node.parts.map((part) => emit(part, next)).reduce((a, b) => add({ op: 'split', next: a, other: b }))
      case 'repeat': {
        let after = next
        if (node.max === null) {
          const loop = add({ op: 'split', next: -1, other: next })
          ;(states[loop] as { next: number }).next = emit(node.part, loop)
          after = loop
        } else {
          for (let i = node.min; i < node.max; i++)
            after = add({ op: 'split', next: emit(node.part, after), other: next })
        }
        for (let i = 0; i < node.min; i++) after = emit(node.part, after)
        return after
      }
    }
  }

  const start = emit(parsePattern(source), add({ op: 'match' }))
  return { states: states.length, test: (text) => run(states, start, text) }
}

function run(states: readonly State[], start: number, text: string): boolean {
  const codes = Array.from(text, (char) => char.codePointAt(0) as number)
  let current: number[] = []
  const seen = new Int32Array(states.length).fill(-1)
  const stack: number[] = []

  /** Follows the empty steps from `from` at position `at`; true when the match state is reached. */
  function reach(from: number, at: number, into: number[]): boolean {
    stack.push(from)
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      if (seen[index] === at) continue
      seen[index] = at
      const state = states[index] as State
      if (state.op === 'match') return true
      if (state.op === 'char') into.push(index)
      else if (state.op === 'split') stack.push(state.other, state.next)
      else if (holds(state.where, codes, at)) stack.push(state.next)
    }
    return false
  }

  for (let at = 0; at <= codes.length; at++) {
    // `current` holds the states reached at this position; a match may also begin here.
    if (reach(start, at, current)) return true
    if (at === codes.length) break
    const next: number[] = []
    for (const index of current) {
      const state = states[index] as Extract<State, { op: 'char' }>
      if (state.accepts(codes[at] as number) && reach(state.next, at + 1, next)) return true
    }
    current = next
  }
  return false
}

function holds(where: 'start' | 'end' | 'word' | 'not-word', codes: readonly number[], at: number): boolean {
  if (where === 'start') return at === 0
  if (where === 'end') return at === codes.length
  const boundary = isWord(codes[at - 1]) !== isWord(codes[at])
  return where === 'word' ? boundary : !boundary
}

function isWord(code: number | undefined): boolean {
  return code !== undefined && /^\w$/.test(String.fromCodePoint(code))
}
