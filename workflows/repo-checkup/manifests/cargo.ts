import { type Dependency, type Firmness, firmnessOf, type Manifest, type Scope } from './manifest.ts'
import { parseToml, type TomlTable, type TomlValue } from './toml.ts'

export function parseCargoToml(text: string): Manifest {
  const data = parseToml(text)
  const own = table(data.package)
  const workspace = table(data.workspace)
  const dependencies: Dependency[] = [...list(table(workspace.dependencies), 'runtime'), ...sections(data)]
  for (const target of Object.values(table(data.target))) dependencies.push(...sections(table(target)))
  const licence = own.license ?? table(workspace.package).license
  return {
    ecosystem: 'Cargo',
    name: typeof own.name === 'string' ? own.name : null,
    licence: typeof licence === 'string' ? licence : null,
    private: own.publish === false || data.package === undefined,
    dependencies,
  }
}

function sections(data: TomlTable): Dependency[] {
  return [
    ...list(table(data.dependencies), 'runtime'),
    ...list(table(data['dev-dependencies']), 'development'),
    ...list(table(data['build-dependencies']), 'build'),
  ]
}

function list(entries: TomlTable, scope: Scope): Dependency[] {
  return Object.entries(entries).map(([name, value]) => {
    const detail = table(value)
    const requirement = typeof value === 'string' ? value : typeof detail.version === 'string' ? detail.version : ''
    const firmness: Firmness =
      detail.workspace === true
        ? 'elsewhere'
        : detail.git !== undefined
          ? 'source'
          : detail.path !== undefined
            ? 'local'
            : firmnessOf(requirement, true)
    return { name, requirement: requirement || '*', scope, firmness }
  })
}

function table(value: TomlValue | undefined): TomlTable {
  return typeof value === 'object' && !Array.isArray(value) ? value : {}
}
