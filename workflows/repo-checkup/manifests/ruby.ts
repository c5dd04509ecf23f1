import type { Dependency, Firmness, Manifest, Scope } from './manifest.ts'

function firmness(requirement: string): Firmness {
  if (requirement === '') return 'open'
  if (/^=?\s*\d[\w.]*$/.test(requirement)) return 'exact'
  return /~>|</.test(requirement) ? 'range' : 'open'
}

/** Gemfiles and gemspecs are programs; this reads their usual literal lines. */
export function parseGemfile(text: string): Manifest {
  const dependencies: Dependency[] = []
  let groups: Scope[] = ['runtime']
  for (const raw of text.split('\n')) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim()
    if (/\bdo(\s*\|.*\|)?$/.test(line))
      groups = [...groups, /^group\b.*:(development|test)/.test(line) ? 'development' : groups.at(-1)!]
    else if (line === 'end' && groups.length > 1) groups = groups.slice(0, -1)
    const match = /^gem\s*\(?\s*['"]([^'"]+)['"](.*)$/.exec(line)
    if (match === null) continue
    const rest = match[2]!
    const requirement = [...rest.matchAll(/,\s*['"]([^'"]+)['"]/g)].map(([, part]) => part!).join(', ')
    const source = /\b(git|github|gist|bitbucket):|:(git|github)\s*=>/.test(rest)
    const local = /\bpath:|:path\s*=>/.test(rest)
    const scope = /group:\s*(:|\[.*)(development|test)/.test(rest) ? 'development' : groups.at(-1)!
    dependencies.push({
      name: match[1]!,
      requirement,
      scope,
      firmness: source ? 'source' : local ? 'local' : firmness(requirement),
    })
  }
  return { ecosystem: 'RubyGems', name: null, licence: null, private: true, dependencies }
}

export function parseGemspec(text: string): Manifest {
  const dependencies: Dependency[] = []
  for (const [, verb, name, rest] of text.matchAll(
    /\.add_(runtime_|development_)?dependency\s*\(?\s*['"]([^'"]+)['"]([^\n]*)/g,
  )) {
    const requirement = [...rest!.matchAll(/['"]([^'"]+)['"]/g)].map(([, part]) => part!).join(', ')
    dependencies.push({
      name: name!,
      requirement,
      scope: verb === 'development_' ? 'development' : 'runtime',
      firmness: firmness(requirement),
    })
  }
  const field = (pattern: RegExp) => pattern.exec(text)?.[1] ?? null
  return {
    ecosystem: 'RubyGems',
    name: field(/\.name\s*=\s*['"]([^'"]+)['"]/) ?? field(/Gem::Specification\.new\s*\(?\s*['"]([^'"]+)['"]/),
    licence: field(/\.licenses?\s*=\s*\[?\s*['"]([^'"]+)['"]/),
    private: false,
    dependencies,
  }
}
