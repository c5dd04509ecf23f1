import { type Dependency, type Firmness, firmnessOf, type Manifest, type Scope } from './manifest.ts'
import { parseToml, type TomlTable, type TomlValue } from './toml.ts'

/** One PEP 508 requirement (`name[extra]>=1,<2; marker`), or null when the text is none. */
export function parseRequirement(text: string, scope: Scope): Dependency | null {
  const plain = text.replace(/\s+#.*$/, '').trim()
  const source = /^(?:-e\s+)?(?:(?:git|hg|svn|bzr)\+|https?:)\S+?(?:#egg=([\w.-]+).*)?$/.exec(plain)
  if (source !== null) return { name: source[1] ?? plain.slice(0, 80), requirement: plain, scope, firmness: 'source' }
  if (/^(-e\s+)?\.{0,2}\//.test(plain) || plain === '.' || /^-e\s+\./.test(plain))
    return { name: plain, requirement: plain, scope, firmness: 'local' }
  const match = /^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(@\s*\S+|\(?[^;)]*\)?)/.exec(plain)
  if (match === null || plain.startsWith('-')) return null
  const requirement = match[2]!.replace(/[()]/g, '').trim()
  return { name: match[1]!, requirement, scope, firmness: pep440Firmness(requirement) }
}

function pep440Firmness(requirement: string): Firmness {
  if (requirement.startsWith('@')) return requirement.includes('file:') ? 'local' : 'source'
  if (/^={2,3}\s*[^*,]+$/.test(requirement)) return 'exact'
  return /<|~=|==|\^|~/.test(requirement) ? 'range' : 'open'
}

export function parseRequirementsText(text: string, development: boolean): Manifest {
  const scope = development ? 'development' : 'runtime'
  const dependencies = text
    .replace(/\\\r?\n/g, ' ')
    .split('\n')
    .filter((line) => !/^\s*(#|$|--|-r|-c|-i|-f)/.test(line))
    .map((line) => parseRequirement(line.replace(/\s--hash=\S+/g, ''), scope))
    .filter((dependency) => dependency !== null)
  return { ecosystem: 'PyPI', name: null, licence: null, private: true, dependencies }
}

export function parsePyproject(text: string): Manifest {
  const data = parseToml(text)
  const project = table(data.project)
  const poetry = table(table(data.tool).poetry)
  const dependencies: Dependency[] = []
  const take = (list: TomlValue | undefined, scope: Scope) => {
    for (const item of Array.isArray(list) ? list : []) {
      const dependency = typeof item === 'string' ? parseRequirement(item, scope) : null
      if (dependency !== null) dependencies.push(dependency)
    }
  }
  take(project.dependencies, 'runtime')
  for (const list of Object.values(table(project['optional-dependencies']))) take(list, 'optional')
  for (const list of Object.values(table(data['dependency-groups']))) take(list, 'development')
  take(table(data['build-system']).requires, 'build')
  dependencies.push(
    ...poetryDependencies(table(poetry.dependencies), 'runtime'),
    ...poetryDependencies(table(poetry['dev-dependencies']), 'development'),
  )
  for (const group of Object.values(table(poetry.group)))
    dependencies.push(...poetryDependencies(table(table(group).dependencies), 'development'))
  const licence = project.license ?? poetry.license
  return {
    ecosystem: 'PyPI',
    name: textOf(project.name ?? poetry.name),
    licence: textOf(licence) ?? textOf(table(licence).text) ?? classifierLicence(project.classifiers),
    private: project.name === undefined && poetry.name === undefined,
    dependencies,
  }
}

export function parsePipfile(text: string): Manifest {
  const data = parseToml(text)
  return {
    ecosystem: 'PyPI',
    name: null,
    licence: null,
    private: true,
    dependencies: [
      ...poetryDependencies(table(data.packages), 'runtime'),
      ...poetryDependencies(table(data['dev-packages']), 'development'),
    ],
  }
}

export function parseSetupCfg(text: string): Manifest {
  const field = (name: string) => new RegExp(`^${name}\\s*=\\s*(.+)$`, 'm').exec(text)?.[1]?.trim() ?? null
  const block = /^install_requires\s*=\s*\n((?:[ \t]+.*\n?)*)/m.exec(text)?.[1] ?? ''
  const dependencies = block
    .split('\n')
    .map((line) => (line.trim() === '' ? null : parseRequirement(line.trim(), 'runtime')))
    .filter((dependency) => dependency !== null)
  return { ecosystem: 'PyPI', name: field('name'), licence: field('license'), private: false, dependencies }
}

function poetryDependencies(list: TomlTable, scope: Scope): Dependency[] {
  return Object.entries(list)
    .filter(([name]) => name !== 'python')
    .map(([name, value]) => {
      const detail = table(value)
      const requirement = textOf(value) ?? textOf(detail.version) ?? ''
      const firmness: Firmness =
        detail.git !== undefined || detail.url !== undefined
          ? 'source'
          : detail.path !== undefined
            ? 'local'
            : firmnessOf(requirement, false)
      return { name, requirement: requirement || (textOf(detail.git) ?? textOf(detail.path) ?? '*'), scope, firmness }
    })
}

function classifierLicence(classifiers: TomlValue | undefined): string | null {
  const found = (Array.isArray(classifiers) ? classifiers : []).find(
    (item) => typeof item === 'string' && item.startsWith('License ::'),
  )
  return typeof found === 'string' ? (found.split('::').at(-1)?.trim() ?? null) : null
}

function table(value: TomlValue | undefined): TomlTable {
  return typeof value === 'object' && !Array.isArray(value) ? value : {}
}

function textOf(value: TomlValue | undefined): string | null {
  return typeof value === 'string' ? value : null
}
