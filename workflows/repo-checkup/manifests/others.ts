import { type Dependency, firmnessOf, type Manifest } from './manifest.ts'

/** A .NET project file or central package list. */
export function parseDotnetProject(text: string): Manifest {
  const plain = text.replace(/<!--[\s\S]*?-->/g, '')
  const dependencies: Dependency[] = []
  for (const [whole, name] of plain.matchAll(
    /<Package(?:Reference|Version)\s+[^>]*?(?:Include|Update)="([^"]+)"[^>]*>/g,
  )) {
    const version = /\bVersion="([^"]+)"/.exec(whole)?.[1]
    const firmness =
      version === undefined || version.includes('$(')
        ? 'elsewhere'
        : /\*/.test(version)
          ? 'open'
          : /^[[(]/.test(version)
            ? 'range'
            : 'exact'
    dependencies.push({ name: name!, requirement: version ?? '', scope: 'runtime', firmness })
  }
  const licence = /<PackageLicenseExpression>([^<]+)</.exec(plain)?.[1] ?? null
  return {
    ecosystem: 'NuGet',
    name: /<(?:PackageId|AssemblyName)>([^<]+)</.exec(plain)?.[1] ?? null,
    licence,
    private: false,
    dependencies,
  }
}

/** pubspec.yaml of Dart; the flat part of YAML it uses. */
export function parsePubspec(text: string): Manifest {
  const dependencies: Dependency[] = []
  let section = ''
  for (const line of text.split('\n')) {
    const top = /^(\w[\w_]*):/.exec(line)
    if (top !== null) section = top[1]!
    const entry = /^ {2}(\w[\w_]*):\s*(.*?)\s*(?:#.*)?$/.exec(line)
    if (entry === null || !/^(dev_)?dependencies$/.test(section) || entry[1] === 'flutter') continue
    const requirement = entry[2]!.replace(/['"]/g, '')
    const firmness = entry[2] === '' ? 'elsewhere' : firmnessOf(requirement, false)
    dependencies.push({
      name: entry[1]!,
      requirement,
      scope: section === 'dependencies' ? 'runtime' : 'development',
      firmness,
    })
  }
  return {
    ecosystem: 'Pub',
    name: /^name:\s*(\S+)/m.exec(text)?.[1] ?? null,
    licence: null,
    private: /^publish_to:\s*['"]?none/m.test(text),
    dependencies,
  }
}

/** mix.exs of Elixir: `{:name, "~> 1.0", only: :test}`. */
export function parseMix(text: string): Manifest {
  const dependencies: Dependency[] = []
  for (const [, name, requirement, rest] of text.matchAll(/\{:(\w+),\s*(?:"([^"]*)")?([^}]*)\}/g)) {
    const source = /\b(git|github):/.test(rest!)
    if (requirement === undefined && !source && !/\bpath:/.test(rest!)) continue
    dependencies.push({
      name: name!,
      requirement: requirement ?? rest!.trim().slice(0, 60),
      scope: /only:\s*(\[?\s*:(test|dev))/.test(rest!) ? 'development' : 'runtime',
      firmness: source ? 'source' : /\bpath:/.test(rest!) ? 'local' : firmnessOf(requirement ?? '', false),
    })
  }
  return {
    ecosystem: 'Hex',
    name: /\bapp:\s*:(\w+)/.exec(text)?.[1] ?? null,
    licence: null,
    private: false,
    dependencies,
  }
}

/** The base images of a Dockerfile; stages of the same file are none. */
export function parseDockerfile(text: string): Manifest {
  const stages = new Set<string>()
  const dependencies: Dependency[] = []
  for (const [, image, stage] of text.matchAll(/^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/gim)) {
    if (!stages.has(image!.toLowerCase()) && image !== 'scratch') {
      const [name, tag] = splitImage(image!)
      const firmness = image!.includes('@sha256:')
        ? 'exact'
        : image!.includes('$')
          ? 'elsewhere'
          : tag === '' || tag === 'latest'
            ? 'open'
            : 'range'
      dependencies.push({ name, requirement: tag || 'latest', scope: 'build', firmness })
    }
    if (stage !== undefined) stages.add(stage.toLowerCase())
  }
  return { ecosystem: 'Docker', name: null, licence: null, private: true, dependencies }
}

function splitImage(image: string): [string, string] {
  const plain = image.split('@')[0]!
  const colon = plain.lastIndexOf(':')
  return colon > plain.lastIndexOf('/') ? [plain.slice(0, colon), plain.slice(colon + 1)] : [plain, '']
}

/** The actions a GitHub workflow runs: `exact` when pinned to a full commit. */
export function parseActions(text: string): Manifest {
  const dependencies: Dependency[] = []
  for (const [, name, ref] of text.matchAll(/^\s*(?:-\s*)?uses:\s*['"]?([\w.-]+\/[\w./-]+)@([\w./-]+)/gm)) {
    dependencies.push({
      name: name!,
      requirement: ref!,
      scope: 'build',
      firmness: /^[0-9a-f]{40}$/.test(ref!) ? 'exact' : 'open',
    })
  }
  return { ecosystem: 'GitHub Actions', name: null, licence: null, private: true, dependencies }
}
