/** Lines of one file, cleaned for comparison: `hashes[i]` belongs to the line numbered `numbers[i]`. */
export interface CleanLines {
  readonly hashes: Uint32Array
  readonly numbers: Uint32Array
}

/** FNV-1a over the characters, 32 bits. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

const trivial =
  /^(?:[\s{}()[\];,:.*/#"'`<>|&+=-]*|else|end|endif|fi|done|then|do|begin|try:?|pass|break;?|continue;?|return;?|default:|(?:\} )?else(?: \{|:)?)$/
const bringsIn =
  /^(?:import\b|from\s+\S+\s+import\b|#\s*include\b|using\s[\w.:]+;|(?:pub )?use\s[\w:]+|require(?:_relative)?\b|package\s|namespace\s|export (?:type )?(?:\*|\{).*)/
/** An opening import (`import {`, `use a::{`, `import (`) that ends on a later line. */
const opensImport = /^(?:import\b|from\b|(?:pub )?use\s|export (?:type )?\{)[^;'"]*[{(,]$/

/**
 * Keeps the lines that carry code: white space is folded, and blank lines, brackets alone, comments and imports are
 * dropped, so that licence headers and import blocks are no duplicates. In Rust the tests at the end of a file are
 * dropped too.
 */
export function cleanLines(text: string, comment: readonly string[]): CleanLines {
  const hashes: number[] = []
  const numbers: number[] = []
  const blockComments = comment.includes('/*')
  let inside: 'code' | 'comment' | 'import' = 'code'
  let number = 0
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    const line = text.slice(start, end).trim()
    number += 1
    start = end + 1
    if (inside === 'comment') {
      if (line.includes('*/')) inside = 'code'
    } else if (inside === 'import') {
      if (/^[})]|[})];?$|;$|['"];?$/.test(line) && !/^['"].*['"]$/.test(line)) inside = 'code'
    } else if (blockComments && line.startsWith('/*')) {
      if (!line.includes('*/')) inside = 'comment'
    } else if (opensImport.test(line)) {
      inside = 'import'
    } else if (line === '#[cfg(test)]' && /^\s*(?:pub )?mod\s/.test(text.slice(start, start + 80))) {
      break
    } else if (
      line.length >= 3 &&
      !trivial.test(line) &&
      !bringsIn.test(line) &&
      !comment.some((mark) => line.startsWith(mark))
    ) {
      hashes.push(hashText(line.replace(/\s+/g, ' ')))
      numbers.push(number)
    }
  }
  return { hashes: Uint32Array.from(hashes), numbers: Uint32Array.from(numbers) }
}

/** A stretch of code that stands at two places, in cleaned lines. */
export interface Clone {
  readonly fileA: number
  readonly startA: number
  readonly fileB: number
  readonly startB: number
  readonly length: number
}

/**
 * Finds repeated stretches of at least `windowLines` cleaned lines. Every window of that many lines is fingerprinted
 * (two 32-bit hashes); a window seen before starts a clone, which is then followed line by line for as long as both
 * places agree. Only the first place of a window is remembered, in tables of fixed size: memory does not grow past
 * `capacity` windows, and `full` says when later code was no longer remembered.
 */
export function createCloneFinder(windowLines: number, capacity: number) {
  const size = 2 ** Math.ceil(Math.log2(capacity * 1.5))
  const mask = size - 1
  const keys = new Uint32Array(size)
  const files = new Int32Array(size).fill(-1)
  const places = new Uint32Array(size)
  const seen: CleanLines[] = []
  let stored = 0

  /** The slot of a fingerprint, or of the free place where it belongs. */
  function slotOf(low: number, high: number): number {
    let slot = low & mask
    while (files[slot] !== -1 && keys[slot] !== high) slot = (slot + 1) & mask
    return slot
  }

  function remember(lines: CleanLines, file: number, at: number): void {
    if (stored >= capacity || at < 0 || at + windowLines > lines.hashes.length) return
    const [low, high] = fingerprint(lines.hashes, at, windowLines)
    const slot = slotOf(low, high)
    if (files[slot] !== -1) return
    keys[slot] = high
    files[slot] = file
    places[slot] = at
    stored += 1
  }

  return {
    full: () => stored >= capacity,
    lines: (file: number) => seen[file]!,
    /** Adds a file and returns the clones of earlier code (or of its own) in it, longest first chance first, not overlapping. */
    add(lines: CleanLines): Clone[] {
      const file = seen.push(lines) - 1
      const { hashes } = lines
      const clones: Clone[] = []
      for (let at = 0; at + windowLines <= hashes.length; ) {
        const [low, high] = fingerprint(hashes, at, windowLines)
        const slot = slotOf(low, high)
        const other = files[slot]!
        const length = other === -1 ? 0 : agree(seen[other]!.hashes, places[slot]!, hashes, at, other === file)
        if (length >= windowLines) {
          clones.push({ fileA: other, startA: places[slot]!, fileB: file, startB: at, length })
          // Windows that reach over its end are new.
          for (let start = at + length - windowLines + 1; start < at + length; start += 1) remember(lines, file, start)
          at += length
        } else {
          remember(lines, file, at)
          at += 1
        }
      }
      return clones
    },
  }
}

function fingerprint(hashes: Uint32Array, at: number, windowLines: number): [number, number] {
  let low = 0x811c9dc5
  let high = 0x9e3779b9
  for (let line = at; line < at + windowLines; line += 1) {
    low = Math.imul(low ^ hashes[line]!, 0x01000193)
    high = Math.imul(high ^ hashes[line]!, 0x85ebca6b) ^ (high >>> 13)
  }
  return [(low ^ (low >>> 15)) >>> 0, high >>> 0]
}

/** For how many lines both places agree; within one file the stretches must not overlap. */
function agree(a: Uint32Array, atA: number, b: Uint32Array, atB: number, sameFile: boolean): number {
  const most = Math.min(a.length - atA, b.length - atB, sameFile ? atB - atA : Number.POSITIVE_INFINITY)
  let length = 0
  while (length < most && a[atA + length] === b[atB + length]) length += 1
  return length
}
