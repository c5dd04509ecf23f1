import { type Dependency, firmnessOf, type Manifest, type Scope } from './manifest.ts'

const sections: readonly (readonly [string, Scope])[] = [
  ['dependencies', 'runtime'],
  ['devDependencies', 'development'],
  ['optionalDependencies', 'optional'],
  ['peerDependencies', 'peer'],
]

export function parsePackageJson(text: string): Manifest {
  const data = asObject(JSON.parse(text.replace(/^\uFEFF/, '')))
  const dependencies: Dependency[] = []
  for (const [section, scope] of sections) {
    for (const [name, value] of Object.entries(asObject(data[section]))) {
      if (typeof value !== 'string') continue
      const requirement = value.replace(/^npm:@?[^@]+@/, '')
      dependencies.push({ name, requirement: value, scope, firmness: firmnessOf(requirement, false) })
    }
  }
  return {
    ecosystem: 'npm',
    name: asText(data.name),
    licence: licenceOf(data),
    private: data.private === true,
    dependencies,
  }
}

function licenceOf(data: Record<string, unknown>): string | null {
  const value = data.license ?? data.licence
  if (typeof value === 'string') return value
  const old = Array.isArray(data.licenses)
    ? data.licenses
        .map((item) => asText(asObject(item).type))
        .filter(Boolean)
        .join(' OR ')
    : ''
  return asText(asObject(value).type) ?? (old === '' ? null : old)
}

export interface LockedPackage {
  readonly name: string
  readonly version: string
  readonly licence: string | null
  readonly development: boolean
}

/** The packages of a package-lock.json of version 2 or 3, which tells their licences. */
export function parsePackageLock(text: string): LockedPackage[] {
  const packages: LockedPackage[] = []
  for (const [path, value] of Object.entries(asObject(asObject(JSON.parse(text)).packages))) {
    const at = path.lastIndexOf('node_modules/')
    const data = asObject(value)
    if (at < 0 || data.link === true) continue
    packages.push({
      name: path.slice(at + 13),
      version: asText(data.version) ?? '',
      licence: licenceOf(data),
      development: data.dev === true || data.devOptional === true,
    })
  }
  return packages
}

export function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

export function asText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
