import type { JsonValue } from '../../kernel/json.ts'
import { formsOfSecret } from './secret-forms.ts'

const mask = Buffer.from('***')
/**
 * Replaces secret values by `***`: as they are, line by line, as JSON, URLs and HTML write them, in base64, in hex, and
 * backwards. Matching is leftmost, longest first.
 */
export class SecretMasker {
  readonly #patterns: readonly Buffer[]

  constructor(values: Iterable<string>) {
    const patterns = new Set<string>()
    for (const value of values) for (const form of formsOfSecret(value)) patterns.add(form)
    this.#patterns = [...patterns].sort((a, b) => b.length - a.length).map((form) => Buffer.from(form))
  }

  /** Nothing to mask. */
  get empty(): boolean {
    return this.#patterns.length === 0
  }

  text(text: string): string {
    return this.empty ? text : this.#bytes(Buffer.from(text)).toString('utf8')
  }

  /** All strings in the value, keys included. */
  json<T extends JsonValue>(value: T): T {
    return (this.empty ? value : this.#json(value)) as T
  }

  /** Masks a stream of bytes, also where a value is cut between two chunks. */
  stream(): MaskStream {
    return new MaskStream(this.#patterns)
  }

  #json(value: JsonValue): JsonValue {
    if (typeof value === 'string') return this.text(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item: JsonValue) => this.#json(item))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.#json(item)]))
  }

  #bytes(bytes: Buffer): Buffer {
    const stream = this.stream()
    return Buffer.concat([stream.write(bytes), stream.end()])
  }
}

export class MaskStream {
  readonly #patterns: readonly Buffer[]
  #held: Buffer = Buffer.alloc(0)

  constructor(patterns: readonly Buffer[]) {
    this.#patterns = patterns
  }

  /** What can be passed on; the rest, which may be the beginning of a secret, is held back. The result may be a view of `chunk`. */
  write(chunk: Buffer): Buffer {
    if (this.#patterns.length === 0) return chunk
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const { out, rest } = this.#replace(bytes, true)
    this.#held = rest.length === 0 ? rest : Buffer.from(rest)
    return out
  }

  /** What was held back. */
  end(): Buffer {
    const { out } = this.#replace(this.#held, false)
    this.#held = Buffer.alloc(0)
    return out
  }

  #replace(bytes: Buffer, hold: boolean): { out: Buffer; rest: Buffer } {
    const next = this.#patterns.map((pattern) => bytes.indexOf(pattern))
    const parts: Buffer[] = []
    let start = 0
    let holdAt = hold ? this.#holdFrom(bytes, 0) : bytes.length
    for (;;) {
      let best = -1
      for (let index = 0; index < next.length; index++) {
        if (next[index]! !== -1 && next[index]! < start) next[index] = bytes.indexOf(this.#patterns[index]!, start)
        // Patterns are sorted by length: the first of those at the same place is the longest.
        if (next[index]! !== -1 && (best === -1 || next[index]! < next[best]!)) best = index
      }
      if (best === -1 || next[best]! >= holdAt) break
      parts.push(bytes.subarray(start, next[best]), mask)
      start = next[best]! + this.#patterns[best]!.length
      if (start > holdAt) holdAt = this.#holdFrom(bytes, start)
    }
    if (parts.length === 0) return { out: bytes.subarray(0, holdAt), rest: bytes.subarray(holdAt) }
    parts.push(bytes.subarray(start, holdAt))
    return { out: Buffer.concat(parts), rest: bytes.subarray(holdAt) }
  }

  /** The first place, from `start` on, from which the bytes may go on to be a secret. */
  #holdFrom(bytes: Buffer, start: number): number {
    let first = bytes.length
    for (const pattern of this.#patterns) {
      let at = bytes.indexOf(pattern[0]!, Math.max(start, bytes.length - pattern.length + 1))
      while (at !== -1 && at < first) {
        if (pattern.subarray(0, bytes.length - at).equals(bytes.subarray(at))) first = at
        at = bytes.indexOf(pattern[0]!, at + 1)
      }
    }
    return first
  }
}
