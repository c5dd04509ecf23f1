import { describe, expect, test } from 'vitest'
import { findCycles, loadedBy } from './meta/import-graph.ts'
import { findStalePermissions, findViolations, isContract, readLayers } from './meta/layers.ts'
import { listSources, readImports, type SourceFile } from './meta/source-tree.ts'
import { findForeignUses, findTableUses, readOwners, readTables } from './meta/tables.ts'

const files = listSources('src')
const byPath = new Map(files.map((file) => [file.path, file]))
const layers = readLayers()

/** A file that is not there, to show that a rule bites. */
function planted(path: string, text: string): SourceFile {
  return { path, text, imports: readImports(path, text) }
}

describe('imports', () => {
  test('the sources are seen at all', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(files.flatMap((file) => file.imports).length).toBeGreaterThan(files.length)
  })

  test('every relative import leads to a file', () => {
    const broken = files.flatMap((file) =>
      file.imports
        .filter((item) => item.target?.startsWith('src/') && !item.target.endsWith('.json') && !byPath.has(item.target))
        .map((item) => `${file.path}:${item.line} -> ${item.target}`),
    )
    expect(broken, 'imports of tests, or of files that do not exist').toEqual([])
  })

  test('imports point down, as the table in ARCHITECTURE.md says', () => {
    const lines = findViolations(layers, files).map(({ from, line, to, why }) => `${from}:${line} -> ${to}: ${why}`)
    expect(lines).toEqual([])
  })

  test('no permission of the table is stale', () => {
    const stale = findStalePermissions(layers, files)
    expect(stale).toEqual([])
  })

  test('no files import each other in a circle', () => {
    const cycles = findCycles(files, ['value']).map((members) => members.join(' <-> '))
    expect(cycles).toEqual([])
  })

  test('planted violations are found, with the layers that would be allowed', () => {
    const upward = planted('src/foundation/kernel/clock2.ts', "import { run } from '../../app/context.ts'\n")
    expect(findViolations(layers, [upward])[0]).toMatchObject({
      line: 1,
      why: expect.stringContaining('L0 may import: kernel'),
    })
    const sideways = planted('src/orchestration/runs/x.ts', "import { f } from '../agents/agents-store.ts'\n")
    expect(findViolations(layers, [sideways])[0]?.why).toContain('import type')
    const typed = planted('src/orchestration/runs/x.ts', "import type { A } from '../agents/agents-store.ts'\n")
    const contract = planted('src/orchestration/runs/x.ts', "import { a } from '../agents/agents-contract.ts'\n")
    expect(findViolations(layers, [typed, contract])).toEqual([])
    expect(findViolations(layers, [planted('src/elsewhere/x.ts', '')])).toHaveLength(1)
  })

  test('a planted circle is found', () => {
    const a = planted('src/a.ts', "import { b } from './b.ts'\n")
    const b = planted('src/b.ts', "export * from './a.ts'\n")
    expect(findCycles([a, b], ['value'])).toEqual([['src/a.ts', 'src/b.ts']])
  })
})

describe('files called -contract', () => {
  const contracts = files.filter((file) => isContract(file.path))

  test('there are some', () => {
    expect(contracts.length).toBeGreaterThan(0)
  })

  test('run anywhere: they and all they load use zod alone', () => {
    const faults = contracts.flatMap((file) =>
      [...loadedBy(byPath, file.path)].flatMap(([path, way]) =>
        (byPath.get(path)?.imports ?? [])
          .filter((item) => item.kind === 'value' && item.target === null && item.specifier !== 'zod')
          .map((item) => `${way.join(' -> ')} -> ${item.specifier}`),
      ),
    )
    expect(faults).toEqual([])
  })

  test('import the kernel and other contracts only', () => {
    const faults = contracts.flatMap((file) =>
      file.imports
        .filter(({ target }) => target !== null && !target.startsWith('src/foundation/kernel/') && !isContract(target))
        .map((item) => `${file.path}:${item.line} -> ${item.target}`),
    )
    expect(faults).toEqual([])
  })
})

describe('tables', () => {
  const tables = readTables()
  const owners = readOwners()
  const uses = files.flatMap((file) => findTableUses(file, new Set(tables)))

  test('every table has one owner, and every owner named has its table', () => {
    expect([...owners.keys()].sort()).toEqual(tables)
  })

  test('a part touches only its own tables; the statements of the coordinator are the exception', () => {
    const lines = findForeignUses(uses, owners).map(
      ({ path, table, access }) => `${path} ${access} ${table}, which belongs to ${owners.get(table)}`,
    )
    expect(lines).toEqual([])
  })

  test('the statements of the coordinator are seen', () => {
    expect(
      uses.some((use) => use.path.startsWith('src/orchestration/coordinator/sql/') && use.access === 'writes'),
    ).toBe(true)
  })

  test('reading SQL finds joins, lists, and writes', () => {
    const known = new Set(['runs', 'tasks', 'events'])
    const file = planted(
      'src/x/y/z.ts',
      'sql`with d as (update tasks set x = 1 returning *) select * from d, runs r join events e on true`',
    )
    expect(
      findTableUses(file, known)
        .map((use) => `${use.access} ${use.table}`)
        .sort(),
    ).toEqual(['reads events', 'reads runs', 'writes tasks'])
    expect(findTableUses(planted('src/x/y/z.ts', '`a message from runs`'), known)).toEqual([])
  })
})
