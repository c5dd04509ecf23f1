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
  visit,
} from 'yaml'
import type { Detail, Locate, Path, ProblemLog } from './problem.ts'
import { createProblemLog } from './problem.ts'
import { workflowLimits } from './workflow-contract.ts'

interface Place {
  readonly line: number
  readonly column: number
}

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
    uniqueKeys: false,
    merge: false,
    stringKeys: true,
  })
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const log = createProblemLog(file, locateIn(document, text, place))
  for (const error of [...document.errors, ...document.warnings]) {
    log.add({ ...place(error.pos[0]), message: explain(error.message, error.code), expected: null })
  }
  if (log.problems.length > 0) return { value: undefined, log }
  checkNodes(document, place, log)
  if (log.problems.length > 0) return { value: undefined, log }
  try {
    return { value: document.toJS({ maxAliasCount: workflowLimits.aliases }), log }
  } catch (error) {
    // The library counts the aliases as it expands them, and stops with this error.
    if (!(error instanceof ReferenceError)) throw error
    log.report([], 'the aliases of the file expand to too much', {
      expected: `at most ${workflowLimits.aliases} expanded aliases`,
    })
    return { value: undefined, log }
  }
}

/** Where numbers and booleans are taken as text. */
const textKeys: ReadonlySet<unknown> = new Set(['command', 'onEnd', 'env', 'config', 'stdin', 'prompt'])

/** What the grammar allows and a workflow must not hold: keys twice, aliases of nothing, texts that would be rewritten. */
function checkNodes(document: Document, place: (offset: number) => Place, log: ProblemLog): void {
  let aliases = 0
  const anchors = new Set<string | undefined>()
  visit(document, {
    // The library's own check of keys compares each with each, which a large file could turn against us.
    Map(_, node) {
      anchors.add(node.anchor)
      const seen = new Set<string>()
      for (const { key } of node.items) {
        if (!isScalar(key) || !key.range) continue
        const name = String(key.value)
        if (seen.has(name)) {
          log.add({
            ...place(key.range[0]),
            message: `the key ${JSON.stringify(name)} appears twice in the same map`,
            expected: 'each key once',
          })
        }
        seen.add(name)
      }
    },
    Seq(_, node) {
      anchors.add(node.anchor)
    },
    Alias(_, node) {
      aliases++
      if (aliases > workflowLimits.aliases) {
        const expected = `at most ${workflowLimits.aliases}`
        log.add({ ...place(node.range?.[0] ?? 0), message: 'the file has too many aliases', expected })
        return visit.BREAK
      }
      // The library would walk the document for each alias; anchors stand before their aliases.
      if (anchors.has(node.source) || !node.range) return
      log.add({
        ...place(node.range[0]),
        message: `*${node.source} names no anchor above it`,
        expected: `&${node.source} on an earlier value`,
      })
    },
    Scalar(_, node, ancestors) {
      anchors.add(node.anchor)
      checkText(node, ancestors, place, log)
    },
  })
}

/** `0123` and `1e3` are numbers to YAML: as text they would become 123 and 1000, which nobody means in a command. */
function checkText(
  node: Scalar,
  ancestors: readonly unknown[],
  place: (offset: number) => Place,
  log: ProblemLog,
): void {
  const { value, source, range } = node
  if ((typeof value !== 'number' && typeof value !== 'boolean') || source === undefined || !range) return
  if (String(value) === source) return
  const inText = ancestors.some((above) => isPair(above) && isScalar(above.key) && textKeys.has(above.key.value))
  if (!inText) return
  const message = `${source} would be read as ${String(value)}`
  log.add({ ...place(range[0]), message, expected: `quotes: "${source}"` })
}

function explain(message: string, code: string): string {
  if (code === 'MULTIPLE_DOCS') return 'the file holds more than one document'
  return message.replace(/\s+/g, ' ').replace(/ at line .*$/, '')
}

/**
 * Deep nesting would exhaust the stack of the parser: brackets and indentation are counted before it sees the text.
 * Comments and quotes are not understood here, so the bound is generous (brackets in text count too).
 */
function tooDeepAt(text: string): Place | null {
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
    if (brackets > 1_000 || indents.length > 200 || dashes > 1_000) return { line, column: i - lineStart + 1 }
  }
  return null
}

function locateIn(document: Document, text: string, place: (offset: number) => Place): Locate {
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
