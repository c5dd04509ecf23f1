// Checks that every dependency of the lockfile has a licence that the project may build on.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
interface LockEntry {
  readonly version?: string
  readonly license?: string
  readonly link?: boolean
  readonly optional?: boolean
  readonly dev?: boolean
  readonly devOptional?: boolean
}

interface Lockfile {
  readonly packages: Readonly<Record<string, LockEntry>>
}

interface Manifest {
  readonly license?: string | { readonly type: string }
  readonly licenses?: readonly { readonly type: string }[]
}

/** What is shipped to users: permissive licences alone. */
const permissive = new Set([
  ...['MIT', 'MIT-0', 'Apache-2.0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'Unlicense'],
  ...['CC0-1.0', 'Zlib', 'PostgreSQL', 'Python-2.0', 'WTFPL'],
])
/** Tools and data that only developers run: file-level copyleft and attribution do no harm there. */
const forTools = new Set([...permissive, 'MPL-2.0', 'CC-BY-4.0'])

/** True when an SPDX expression can be satisfied with the allowed licences. */
export function isAllowed(expression: string, allowed: ReadonlySet<string> = permissive): boolean {
  const text = expression.trim().replace(/^\((.*)\)$/, '$1')
  if (/ OR /.test(text)) return text.split(' OR ').some((part) => isAllowed(part, allowed))
  if (/ AND /.test(text)) return text.split(' AND ').every((part) => isAllowed(part, allowed))
  return allowed.has(text)
}

/** The licence the lockfile records, or else the one of the installed package. */
function licenceOf(folder: string, path: string, entry: LockEntry): string | null {
  if (typeof entry.license === 'string') return entry.license
  try {
    const manifest = JSON.parse(readFileSync(join(folder, path, 'package.json'), 'utf8')) as Manifest
    const old = manifest.licenses?.map((item) => item.type).join(' OR ')
    return typeof manifest.license === 'string' ? manifest.license : (manifest.license?.type ?? old ?? 'none stated')
  } catch {
    return entry.optional ? null : 'not installed' // another platform's optional package
  }
}

/** One line for each dependency of the lockfile in `folder` that is not allowed. */
export function findRefused(folder: string): string[] {
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as Lockfile
  return Object.entries(packages).flatMap(([path, entry]) => {
    if (path === '' || entry.link) return []
    const licence = licenceOf(folder, path, entry)
    const allowed = entry.dev || entry.devOptional ? forTools : permissive
    if (licence === null || isAllowed(licence, allowed)) return []
    return [
      `${path.replace(/^.*node_modules\//, '')}@${entry.version}: ${licence}${entry.dev ? ' (development only)' : ''}`,
    ]
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const refused = findRefused(root)
  for (const line of refused) console.error(line)
  if (refused.length > 0) console.error('licences: the above are not on the list of scripts/licences.ts')
  process.exitCode = refused.length === 0 ? 0 : 1
}
