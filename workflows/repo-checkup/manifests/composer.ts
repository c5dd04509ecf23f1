import { firmnessOf, type Manifest } from './manifest.ts'
import { asObject, asText, type LockedPackage } from './npm.ts'

const licencesOf = (value: unknown): string | null =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string').join(' OR ') || null : asText(value)

export function parseComposerJson(text: string): Manifest {
  const data = asObject(JSON.parse(text))
  const list = (section: string, scope: 'runtime' | 'development') =>
    Object.entries(asObject(data[section]))
      .filter(([name, value]) => name.includes('/') && typeof value === 'string')
      .map(([name, value]) => ({ name, requirement: String(value), scope, firmness: firmnessOf(String(value), false) }))
  return {
    ecosystem: 'Composer',
    name: asText(data.name),
    licence: licencesOf(data.license),
    private: data.type === 'project',
    dependencies: [...list('require', 'runtime'), ...list('require-dev', 'development')],
  }
}

export function parseComposerLock(text: string): LockedPackage[] {
  const data = asObject(JSON.parse(text))
  return [...asPackages(data.packages, false), ...asPackages(data['packages-dev'], true)]
}

function asPackages(list: unknown, development: boolean): LockedPackage[] {
  if (!Array.isArray(list)) return []
  return list.map((item) => {
    const data = asObject(item)
    return {
      name: asText(data.name) ?? '',
      version: asText(data.version) ?? '',
      licence: licencesOf(data.license),
      development,
    }
  })
}
