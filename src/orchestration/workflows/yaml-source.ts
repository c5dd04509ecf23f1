import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from 'yaml'
import type { Detail, Locate, Path, ProblemLog } from './problem.ts'
import { createProblemLog } from './problem.ts'
import { workflowLimits } from './workflow-contract.ts'

/** A file that was read: its value, and a log that knows where everything stands in it. */
export interface YamlSource {
  /** Plain data; undefined where the text is not YAML at all. */
  readonly value: unknown
  readonly log: ProblemLog
}

/** Reads one YAML document without trusting it: size, nesting and aliases are bounded, keys are unique, tags are refused. */
export function readYaml(text: string, file: string): YamlSource {
  const bytes = new TextEncoder().encode(text).byteLength
  if (bytes > workflowLimits.fileBytes) {
    const log = createProblemLog(file, () => ({ line: 1, column: 1 }))
    log.report([], `the file has ${bytes} bytes`, { expected: `at most ${workflowLimits.fileBytes} bytes` })
    return { value: undefined, log }
  }
  const deep = tooDeepAt(text)
  const lines = new LineCounter()
  if (deep !== null) {
    const log = createProblemLog(file, () => deep)
    log.report([], 'the file is nested too deep', { expected: `at most ${workflowLimits.depth} levels` })
    return { value: undefined, log }
  }
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    merge: false,
    stringKeys: true,
  })
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const log = createProblemLog(file, locateIn(document, text, place))
  for (const error of [...document.errors, ...document.warnings]) {
    const at = createProblemLog(file, () => place(error.pos[0]))
    at.report([], explain(error.message, error.code))
    for (const problem of at.problems) (log.problems as (typeof problem)[]).push(problem)
  }
  if (log.problems.length > 0) return { value: undefined, log }
  try {
    return { value: document.toJS({ maxAliasCount: workflowLimits.aliases }), log }
  } catch (error) {
    log.report([], error instanceof ReferenceError ? 'the aliases of the file expand to too much' : String(error), {
      expected: `at most ${workflowLimits.aliases} expanded aliases`,
    })
    return { value: undefined, log }
  }
}

function explain(message: string, code: string): string {
  if (code === 'DUPLICATE_KEY') return 'the key appears twice in the same map'
  if (code === 'MULTIPLE_DOCS') return 'the file holds more than one document'
  return message.replace(/\s+/g, ' ').replace(/ at line .*$/, '')
}

/**
 * Deep nesting would exhaust the stack of the parser: brackets and indentation are counted before it sees the text.
 * Comments and quotes are not understood here, so the bound is generous (brackets in text count too).
 */
function tooDeepAt(text: string): { line: number; column: number } | null {
  let brackets = 0
  let line = 1
  let lineStart = 0
  let dashes = 0
  let leading = true
  const indents: number[] = []
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '\n') {
      line++
      lineStart = i + 1
      dashes = 0
      leading = true
      continue
    }
    if (leading && char !== ' ') {
      const indent = i - lineStart
      while (indents.length > 0 && (indents.at(-1) as number) >= indent) indents.pop()
      indents.push(indent)
      leading = false
    }
    if (char === '[' || char === '{') brackets++
    else if ((char === ']' || char === '}') && brackets > 0) brackets--
    if ((char === '-' || char === '?' || char === ':') && text[i + 1] === ' ') dashes++
    if (brackets > 1_000 || indents.length > 200 || dashes > 10_000) return { line, column: i - lineStart + 1 }
  }
  return null
}

function locateIn(
  document: Document,
  text: string,
  place: (offset: number) => { line: number; column: number },
): Locate {
  return (path, detail) => {
    const found = nodeAt(document, path)
    if (found === null) return place(0)
    const range = detail.key && found.key?.range ? found.key.range : found.node?.range
    if (!range) return found.key?.range ? place(found.key.range[0]) : place(0)
    return place(detail.snippet === undefined ? range[0] : within(text, range, detail))
  }
}

/** The node at `path`, or the nearest above it that exists (short forms have fewer levels than what they stand for). */
function nodeAt(document: Document, path: Path): { key: Scalar | null; node: Node | null } | null {
  let node = document.contents as Node | null
  let key: Scalar | null = null
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null
    if (!isCollection(node)) break
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(part),
      )
      if (pair === undefined) break
      key = pair.key as Scalar
      node = pair.value as Node | null
    } else {
      const item = node.items[Number(part)] as Node | undefined
      if (item === undefined) break
      node = item
    }
  }
  return { key, node }
}

/** The offset of `detail.offset` characters into the snippet, where the snippet is found as it is in the text of the node. */
function within(text: string, range: readonly number[], detail: Detail): number {
  const [start, end] = [range[0] as number, range[1] as number]
  const snippet = detail.snippet ?? ''
  const offset = detail.offset ?? 0
  const at = text.slice(start, end).indexOf(snippet)
  if (at !== -1) return start + at + offset
  // A snippet of several lines is indented in the file: its lines are looked for one by one.
  const before = snippet.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  const line = snippet.slice(lineStart).split('\n')[0]?.trimStart() ?? ''
  const column = Math.max(
    0,
    offset - lineStart - (snippet.slice(lineStart).length - snippet.slice(lineStart).trimStart().length),
  )
  const found = line === '' ? -1 : text.slice(start, end).indexOf(line)
  return found === -1 ? start : start + found + column
}
