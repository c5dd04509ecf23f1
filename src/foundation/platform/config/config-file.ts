import { readFile, stat } from 'node:fs/promises'
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import type { z } from '../../kernel/schema.ts'
import { configErrors } from './config-errors.ts'
import { type ConfigFile, configFileSchema } from './config-schema.ts'

/** A setting's place in the file: `pools`, `claude`, `slots`. */
export type Place = readonly PropertyKey[]

export interface ReadConfigFile {
  readonly path: string
  readonly values: ConfigFile
  /** `leanvibe.yaml:12:5` of a setting, for messages about it. */
  locate(place: Place): string
}

/** Reads and shapes leanvibe.yaml; every finding is told at once with line and column. `trusted`: the user named the file. */
export async function readConfigFile(path: string, trusted: boolean): Promise<ReadConfigFile> {
  let text: string
  try {
    const info = await stat(path)
    if (!trusted && !ownedByUs(info.uid)) {
      throw configErrors['config-unreadable'](`${path} belongs to another user: it could make LeanVibe run anything`)
    }
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error)) throw error
    throw configErrors['config-unreadable'](`cannot read ${path}: ${error.message}`, { cause: error })
  }
  return parseConfigFile(path, text)
}

export function parseConfigFile(path: string, text: string): ReadConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: false })
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${Math.max(line, 1)}:${Math.max(col, 1)}`
  }
  const broken = document.errors[0]
  if (broken !== undefined) throw configErrors['config-invalid'](`${at(broken.pos[0])}: ${broken.message}`)
  const locate = (place: Place) => at(offsetOf(document, place))
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 }) ?? {}
  } catch (cause) {
    throw configErrors['config-invalid'](`${path}: the aliases of the file expand to too much`, { cause })
  }
  const parsed = configFileSchema.safeParse(value)
  if (parsed.success) return { path, values: parsed.data, locate }
  const findings = parsed.error.issues
    .flatMap((issue) => findingsOf(issue))
    .map(({ place, text }) => {
      const shown = place.length === 0 ? '' : `${place.map(String).join('.')}: `
      return `${locate(place)}: ${shown}${text}`
    })
  throw configErrors['config-invalid'](findings.join('\n'), { details: { findings } })
}

function findingsOf(issue: z.core.$ZodIssue, above: Place = []): { place: Place; text: string }[] {
  const place = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ place: [...place, key], text: 'this setting is not known here' }))
  }
  if (issue.code === 'invalid_key') return [{ place, text: issue.issues.map(({ message }) => message).join('; ') }]
  return [{ place, text: issue.message.replace(/^Invalid input: /, '') }]
}

/** Where the deepest part of the place that exists begins; the key itself for what should not be there. */
function offsetOf(document: Document, place: Place): number {
  let node = document.contents as Node | null
  let offset = node?.range?.[0] ?? 0
  for (const part of place) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))
      if (pair === undefined) return offset
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value as Node | null
    } else {
      const next = (node as { get?: (key: unknown, keep: boolean) => unknown } | null)?.get?.(part, true)
      if (next === undefined || next === null) return offset
      node = next as Node
      offset = node.range?.[0] ?? offset
    }
  }
  return offset
}

function ownedByUs(uid: number): boolean {
  const own = process.getuid?.()
  return own === undefined || uid === own || uid === 0
}
