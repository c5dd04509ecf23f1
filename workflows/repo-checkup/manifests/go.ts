import type { Dependency, Manifest } from './manifest.ts'

/** go.mod: minimal versions, which Go's resolution makes exact. Replaced modules are `local` or `source`. */
export function parseGoMod(text: string): Manifest {
  const plain = text.replace(/\/\/(?! indirect).*$/gm, '')
  const replaced = new Map<string, string>()
  const dependencies: Dependency[] = []
  let block = ''
  for (const raw of plain.split('\n')) {
    const line = raw.trim()
    if (line === ')') block = ''
    const opened = /^(require|replace|exclude|retract|tool)\s*\($/.exec(line)
    if (opened !== null) {
      block = opened[1]!
      continue
    }
    const [verb, rest] = block === '' ? [/^(\w+)\s/.exec(line)?.[1] ?? '', line.replace(/^\w+\s+/, '')] : [block, line]
    if (verb === 'replace') {
      const match = /^(\S+)(?:\s+\S+)?\s+=>\s+(\S+)/.exec(rest)
      if (match !== null) replaced.set(match[1]!, match[2]!)
    } else if (verb === 'require') {
      const match = /^(\S+)\s+(v\S+)(\s*\/\/ indirect)?/.exec(rest)
      if (match !== null && match[3] === undefined)
        dependencies.push({ name: match[1]!, requirement: match[2]!, scope: 'runtime', firmness: 'exact' })
    }
  }
  return {
    ecosystem: 'Go',
    name: /^module\s+"?([^\s"]+)/m.exec(plain)?.[1] ?? null,
    licence: null,
    private: false,
    dependencies: dependencies.map((dependency) => {
      const other = replaced.get(dependency.name)
      if (other === undefined) return dependency
      return { ...dependency, requirement: `=> ${other}`, firmness: /^\.{0,2}\//.test(other) ? 'local' : 'source' }
    }),
  }
}
