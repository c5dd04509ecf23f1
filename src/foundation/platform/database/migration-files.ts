import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { defineErrors } from '../../kernel/errors.ts'
import { foundationMigration } from './foundation-migration.ts'

const errors = defineErrors({
  'migration-malformed': {
    kind: 'internal',
    retry: 'never',
    when: 'a file in the migrations folder has no proper name, number or risk line',
    next: 'name it NNNN_what_it_does.sql with numbers in order, and begin it with `-- risk: low|medium|high: why`',
  },
})

export interface Migration {
  readonly version: number
  readonly name: string
  readonly risk: 'low' | 'medium' | 'high'
  readonly text: string
  readonly checksum: string
}

/** The migrations of a folder in order, after the foundation (version 0) that all share. */
export async function readMigrations(folder: string = packagedMigrations()): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql') && name !== 'schema.sql').sort()
  const files = await Promise.all(
    names.map(async (name) => parseMigration(name, await readFile(join(folder, name), 'utf8'))),
  )
  const migrations = [parseMigration('0000_foundation.sql', foundationMigration), ...files]
  migrations.forEach((migration, index) => {
    if (migration.version !== index) {
      throw errors['migration-malformed'](`${migration.name}: expected number ${index}, found ${migration.version}`)
    }
  })
  return migrations
}

/** Changes whenever any migration does. */
export function migrationsHash(migrations: readonly Migration[]): string {
  const hash = createHash('sha256')
  for (const migration of migrations) hash.update(`${migration.name} ${migration.checksum}\n`)
  return hash.digest('hex')
}

function parseMigration(file: string, raw: string): Migration {
  const text = raw.replaceAll('\r\n', '\n')
  const named = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file)
  const risk = /^-- risk: (low|medium|high): \S/.exec(text)
  if (!named) throw errors['migration-malformed'](`${file} is not named NNNN_what_it_does.sql`)
  if (!risk) throw errors['migration-malformed'](`${file} does not begin with a risk line`)
  return {
    version: Number(named[1]),
    name: `${named[1]}_${named[2]}`,
    risk: risk[1] as Migration['risk'],
    text,
    checksum: createHash('sha256').update(text).digest('hex'),
  }
}

/** `migrations/` of this package. */
export function packagedMigrations(): string {
  return join(packageFolder(), 'migrations')
}

/** The folder with the package.json of this package, from source as well as from dist. */
export function packageFolder(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw errors['migration-malformed']('the package has no migrations folder')
    folder = parent
  }
  return folder
}
