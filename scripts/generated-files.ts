import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPlatform } from '../src/app/context.ts'
import { startServer } from '../src/app/server.ts'
import { listErrors } from '../src/foundation/kernel/errors.ts'
import { readEnv } from '../src/foundation/platform/config/env.ts'
import { loadConfig } from '../src/foundation/platform/config/load-config.ts'
import { generateSchema } from '../src/foundation/platform/database/schema-dump.ts'
import { silentHttpLogger } from '../src/foundation/platform/http/http-logger.ts'
import { printWorkflowJsonSchema } from '../src/orchestration/workflows/workflow-json-schema.ts'
import { listSources, partOf, type SourceFile } from '../test/meta/source-tree.ts'
import { findSystemScopes } from '../test/meta/system-scopes.ts'
import { describeTables, findTableUses, readOwners } from '../test/meta/tables.ts'

export interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string
  make(): Promise<string> | string
}

/** Files that follow from the code. `npm run generate` writes them, a test and `npm run verify` compare them. */
export const generatedFiles: readonly GeneratedFile[] = [
  { path: 'docs/errors.md', make: describeErrors },
  { path: 'docs/tables.md', make: describeTableUses },
  { path: 'docs/system-scope.md', make: describeSystemScopes },
  { path: 'openapi.json', make: describeOpenApi },
  { path: 'workflow.schema.json', make: printWorkflowJsonSchema },
  { path: 'migrations/schema.sql', make: () => generateSchema() },
]

const notice = 'Written by `npm run generate`; edit the code instead.'

/** Loads every file that registers errors, so that the registry is complete, and lists it by part. */
async function describeErrors(): Promise<string> {
  const registering = listSources('src').filter(
    (file) => /\bdefineErrors\(\{/.test(file.text) && !file.path.endsWith('kernel/errors.ts'),
  )
  for (const file of registering) await import(new URL(`../${file.path}`, import.meta.url).href)
  const groups = Map.groupBy(listErrors(), ([code]) => partOfCode(registering, code))
  const sections = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([part, errors]) => {
      const rows = errors.map(
        ([code, error]) =>
          `| \`${code}\` | ${error.kind} | ${error.retry} | ${cell(error.when)} | ${cell(error.next)} |`,
      )
      return [`## ${part}`, '', '| code | kind | retry | when | what to do |', '|---|---|---|---|---|', ...rows].join(
        '\n',
      )
    })
  const head = [
    '# Errors',
    '',
    `Every failure that is expected has a code, which is stable; the words around it are not. ${notice}`,
    'The kind decides the HTTP status and the exit code, `retry` whether the same call can succeed: `never`, `later` or `now`.',
  ].join('\n')
  return `${[head, ...sections].join('\n\n')}\n`
}

function partOfCode(files: readonly SourceFile[], code: string): string {
  const key = new RegExp(`^\\s+(?:'${code}'|${code}): \\{`, 'm')
  const file = files.find(({ text }) => key.test(text))
  if (!file) throw new Error(`no source defines the error ${code} as a plain key`)
  return (partOf(file.path) ?? file.path).replace(/^src\//, '')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function describeTableUses(): string {
  const owners = readOwners()
  const tables = new Set(owners.keys())
  const uses = listSources('src').flatMap((file) => findTableUses(file, tables))
  return `# Tables\n\nWhich part touches which table, read from the SQL in the sources. ${notice}\n\n${describeTables(uses, owners)}\n`
}

/** The document that the server serves, of all routes of a platform that is opened for it. */
async function describeOpenApi(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-openapi-'))
  try {
    const loaded = await loadConfig({ cwd: folder, env: readEnv({}), flags: { data: join(folder, 'data') } })
    await using server = await startServer(loaded, { openPlatform, work: false, logger: silentHttpLogger })
    const document = await (await fetch(`${server.localUrl}/openapi.json`)).json()
    return `${JSON.stringify(document, null, 2)}\n`
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function describeSystemScopes(): string {
  const rows = findSystemScopes(listSources('src')).map(({ reason, path }) => `| ${reason} | ${path} |`)
  return [
    '# System scope',
    '',
    'The places that see the rows of all tenants. Everything else goes through `forTenant` and is confined by row-level',
    `security. ${notice}`,
    '',
    '| reason | file |',
    '|---|---|',
    ...rows,
    '',
  ].join('\n')
}
