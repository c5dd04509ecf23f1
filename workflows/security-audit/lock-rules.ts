import { posix } from 'node:path'
import type { ReadText } from '../kit/read-repository.ts'

/** One way in which a manifest and its lock file do not say the same. */
export interface Drift {
  readonly manifest: string
  readonly lock: string | null
  readonly what: string
}

type Names = Readonly<Record<string, string>>
interface Manifest {
  readonly dependencies?: Names
  readonly devDependencies?: Names
  readonly optionalDependencies?: Names
}

/** Compares the manifests of npm, Cargo, Go, Composer and Poetry with the lock files that belong to them. Pure. */
export function findDrift(files: readonly ReadText[]): {
  readonly drift: readonly Drift[]
  readonly compared: number
  readonly insecure: readonly string[]
} {
  const byPath = new Map(files.map(({ path, text }) => [path, text]))
  const drift: Drift[] = []
  const insecure: string[] = []
  let compared = 0
  for (const { path, text } of files) {
    const beside = (name: string) => posix.join(posix.dirname(path), name)
    const name = posix.basename(path)
    if (name === 'package.json') {
      const lock = ['package-lock.json', 'npm-shrinkwrap.json'].map(beside).find((each) => byPath.has(each))
      if (lock === undefined) continue
      compared += 1
      drift.push(...npmDrift(path, text, lock, byPath.get(lock)!))
    } else if (name === 'package-lock.json' || name === 'npm-shrinkwrap.json') insecure.push(...insecureIn(path, text))
    else if (name === 'Cargo.toml' && byPath.has(beside('Cargo.lock'))) {
      compared += 1
      const known = new Set(
        [...byPath.get(beside('Cargo.lock'))!.matchAll(/^name = "([^"]+)"/gm)].map((match) => match[1]!),
      )
      drift.push(...missing(path, beside('Cargo.lock'), cargoNames(text), known))
    } else if (name === 'go.mod' && /^\s*require\b/m.test(text)) {
      compared += 1
      const sums = byPath.get(beside('go.sum'))
      if (sums === undefined) drift.push({ manifest: path, lock: null, what: 'go.sum is not there' })
      else
        drift.push(
          ...missing(
            path,
            beside('go.sum'),
            goModules(text),
            new Set(
              sums.split('\n').map((line) =>
                line
                  .split(' ')
                  .slice(0, 2)
                  .join(' ')
                  .replace(/\/go\.mod$/, ''),
              ),
            ),
          ),
        )
    } else if (name === 'composer.json' && byPath.has(beside('composer.lock'))) {
      compared += 1
      const known = new Set(
        [...byPath.get(beside('composer.lock'))!.matchAll(/"name":\s*"([^"]+)"/g)].map((match) =>
          match[1]!.toLowerCase(),
        ),
      )
      const wanted = Object.keys({ ...(parse(text)?.require as Names), ...(parse(text)?.['require-dev'] as Names) })
      drift.push(
        ...missing(
          path,
          beside('composer.lock'),
          wanted.filter((each) => each.includes('/')).map((each) => each.toLowerCase()),
          known,
        ),
      )
    }
  }
  return { drift, compared, insecure: insecure.slice(0, 50) }
}

function npmDrift(manifest: string, text: string, lock: string, lockText: string): readonly Drift[] {
  const wanted = parse(text) as Manifest | null
  const locked = parse(lockText) as {
    packages?: Record<string, Manifest & { version?: string }>
    dependencies?: Record<string, unknown>
  } | null
  if (wanted === null || locked === null) return [{ manifest, lock, what: 'one of the two is no JSON' }]
  const names = { ...wanted.devDependencies, ...wanted.optionalDependencies, ...wanted.dependencies }
  const root = locked.packages?.['']
  if (root === undefined)
    return missing(manifest, lock, Object.keys(names), new Set(Object.keys(locked.dependencies ?? {})))
  const recorded = { ...root.devDependencies, ...root.optionalDependencies, ...root.dependencies }
  const all = [...new Set([...Object.keys(names), ...Object.keys(recorded)])].sort()
  return all.flatMap((name): Drift[] => {
    if (names[name] === recorded[name]) {
      const isThere =
        locked.packages![`node_modules/${name}`] !== undefined || /^(file|link|workspace):/.test(names[name]!)
      return isThere || wanted.optionalDependencies?.[name] !== undefined
        ? []
        : [{ manifest, lock, what: `${name} is not locked` }]
    }
    const what =
      recorded[name] === undefined
        ? `${name}@${names[name]} is not in the lock file`
        : names[name] === undefined
          ? `${name} is locked and no longer wanted`
          : `${name}: wanted ${names[name]}, locked for ${recorded[name]}`
    return [{ manifest, lock, what }]
  })
}

/** Packages that are fetched without encryption, or cannot be verified once they are fetched. */
function insecureIn(path: string, text: string): readonly string[] {
  const locked = parse(text) as {
    packages?: Record<string, { resolved?: unknown; integrity?: unknown; link?: unknown }>
  } | null
  return Object.entries(locked?.packages ?? {}).flatMap(([name, { resolved, integrity, link }]) => {
    if (name === '' || link === true || typeof resolved !== 'string') return []
    if (resolved.startsWith('http://')) return [`${path}: ${name} is fetched from ${resolved.slice(0, 100)}`]
    return /^https:/.test(resolved) && typeof integrity !== 'string' ? [`${path}: ${name} has no integrity`] : []
  })
}

function missing(
  manifest: string,
  lock: string,
  wanted: readonly string[],
  known: ReadonlySet<string>,
): readonly Drift[] {
  return wanted
    .filter((name) => !known.has(name))
    .map((name) => ({ manifest, lock, what: `${name} is not in the lock file` }))
}

function cargoNames(text: string): readonly string[] {
  const names: string[] = []
  let section = ''
  for (const line of text.split('\n')) {
    const head = /^\s*\[([^\]]+)\]/.exec(line)
    if (head !== null) section = head[1]!
    const entry = /^\s*([A-Za-z0-9_-]+)\s*=\s*(.+)$/.exec(line)
    if (entry === null || !/(^|\.)(dev-|build-)?dependencies$/.test(section)) continue
    const renamed = /package\s*=\s*"([^"]+)"/.exec(entry[2]!)
    if (!/path\s*=|workspace\s*=\s*true|optional\s*=\s*true/.test(entry[2]!)) names.push(renamed?.[1] ?? entry[1]!)
  }
  return names
}

function goModules(text: string): readonly string[] {
  const replaced = new Set([...text.matchAll(/^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>/gm)].map((match) => match[1]!))
  const block = [...text.matchAll(/^require\s*\(([\s\S]*?)^\)/gm)].map((match) => match[1]!).join('\n')
  const single = [...text.matchAll(/^require\s+([^\s(]+\s+v\S+)/gm)].map((match) => match[1]!).join('\n')
  return `${block}\n${single}`
    .split('\n')
    .map((line) => /^\s*(\S+)\s+(v\S+)/.exec(line))
    .flatMap((match) => (match === null || replaced.has(match[1]!) ? [] : [`${match[1]} ${match[2]}`]))
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    // Told as drift: what is no JSON locks nothing.
    return null
  }
}
