import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTable } from './layers.ts'
import { listFiles, partOf, root, type SourceFile } from './source-tree.ts'
import { withoutComments } from './without-comments.ts'

export type Access = 'reads' | 'writes'

/** One table named in the SQL text of one file. */
export interface TableUse {
  readonly table: string
  readonly path: string
  readonly access: Access
}

const statement = /\b(?:select|insert|update|delete|truncate|lock|copy|vacuum|analyze)\b/i
const mention =
  /\b(insert\s+into|delete\s+from|truncate|update|from|join|using|lock\s+table)\s+(?:only\s+)?([a-z_]+(?:\s+(?:as\s+)?[a-z]\w*)?(?:\s*,\s*[a-z_]+(?:\s+(?:as\s+)?[a-z]\w*)?)*)/gi

/** The tables and views that the migrations make, partitions left out. */
export function readTables(): string[] {
  return listFiles('migrations')
    .filter((path) => path.endsWith('.sql') && !path.endsWith('schema.sql'))
    .flatMap((path) => [
      ...readFileSync(join(root, path), 'utf8').matchAll(
        /^create (?:table|view) (?:if not exists )?(\w+)(?! partition of)\b/gim,
      ),
    ])
    .filter((match) => !/^create table \w+ partition of/i.test(match.input.slice(match.index, match.index + 200)))
    .map((match) => match[1]!)
    .sort()
}

/** A common table expression may have the name of a table: then it is meant. */
function isNamedWithin(literal: string, name: string): boolean {
  const head = `(?:\\bwith(?:\\s+recursive)?|,)\\s+${name}\\s+as\\s*(?:(?:not\\s+)?materialized\\s*)?\\(`
  return new RegExp(head, 'i').test(literal)
}

/** Finds the tables named in the template literals of `file` that hold SQL. */
export function findTableUses(file: SourceFile, tables: ReadonlySet<string>): TableUse[] {
  const uses = new Map<string, TableUse>()
  for (const [literal] of withoutComments(file.text).matchAll(/`(?:[^`\\]|\\.)*`/g)) {
    if (!statement.test(literal)) continue
    for (const [, verb, list] of literal.matchAll(mention)) {
      const access = /insert|delete|truncate|update|lock/i.test(verb!) ? 'writes' : 'reads'
      for (const item of list!.split(',')) {
        const table = item.trim().split(/\s+/)[0]!
        if (tables.has(table) && !isNamedWithin(literal, table))
          uses.set(`${table} ${access}`, { table, path: file.path, access })
      }
    }
  }
  return [...uses.values()]
}

/** Who owns each table, from the table in ARCHITECTURE.md. */
export function readOwners(text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')): Map<string, string> {
  return new Map(
    readTable(text, 'owns the tables').flatMap(([part, tables]) =>
      tables!.split(',').map((table) => [table.trim(), part!] as const),
    ),
  )
}

/** The hot statements over many tables, which belong to no single part. */
export const sharedStatements = 'src/orchestration/coordinator/sql/'

export function findForeignUses(uses: readonly TableUse[], owners: ReadonlyMap<string, string>): TableUse[] {
  return uses.filter(
    ({ table, path }) => !path.startsWith(sharedStatements) && !path.startsWith(`${owners.get(table)}/`),
  )
}

/** docs/tables.md: every table, its owner, and who else names it. */
export function describeTables(uses: readonly TableUse[], owners: ReadonlyMap<string, string>): string {
  const rows = [...owners].sort().map(([table, owner]) => {
    const touching = (access: Access) =>
      [
        ...new Set(uses.filter((use) => use.table === table && use.access === access).map((use) => placeOf(use.path))),
      ].sort()
    const writers = touching('writes')
    return `| ${table} | ${owner} | ${writers.join(', ')} | ${touching('reads')
      .filter((place) => !writers.includes(place))
      .join(', ')} |`
  })
  return ['| table | owner | written by | read by |', '|---|---|---|---|', ...rows].join('\n')
}

function placeOf(path: string): string {
  const place = path.startsWith(sharedStatements) ? sharedStatements.slice(0, -1) : (partOf(path) ?? path)
  return place.replace(/^src\//, '')
}
