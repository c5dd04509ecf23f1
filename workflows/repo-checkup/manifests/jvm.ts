import type { Dependency, Firmness, Manifest, Scope } from './manifest.ts'

const tag = (text: string, name: string) => new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(text)?.[1] ?? null

export function parsePom(text: string): Manifest {
  const plain = text.replace(/<!--[\s\S]*?-->/g, '')
  const own = plain.replace(
    /<(parent|dependencies|dependencyManagement|build|profiles|plugins|reporting)>[\s\S]*?<\/\1>/g,
    '',
  )
  const managed = plain.replace(/<(dependencyManagement|build|reporting)>[\s\S]*?<\/\1>/g, '')
  const dependencies: Dependency[] = []
  for (const [, block] of managed.matchAll(/<dependency>([\s\S]{0,4000}?)<\/dependency>/g)) {
    const version = tag(block!, 'version')
    const scope = tag(block!, 'scope')
    dependencies.push({
      name: `${tag(block!, 'groupId') ?? '?'}:${tag(block!, 'artifactId') ?? '?'}`,
      requirement: version ?? '',
      scope: scope === 'test' ? 'development' : tag(block!, 'optional') === 'true' ? 'optional' : 'runtime',
      firmness: version === null || version.includes('${') ? 'elsewhere' : mavenFirmness(version),
    })
  }
  const licence = /<license>([\s\S]{0,2000}?)<\/license>/.exec(plain)?.[1]
  return {
    ecosystem: 'Maven',
    name: tag(own, 'artifactId'),
    licence: licence === undefined ? null : tag(licence, 'name'),
    private: false,
    dependencies,
  }
}

function mavenFirmness(version: string): Firmness {
  if (/-SNAPSHOT$|^(LATEST|RELEASE)$/.test(version) || /\+$/.test(version)) return 'open'
  return /^[[(]/.test(version) ? (/,\s*[)\]]$/.test(version) ? 'open' : 'range') : 'exact'
}

/** Gradle builds are programs; this reads the usual literal forms: `implementation 'g:a:v'`, `api("g:a:v")`, `libs.x.y`. */
export function parseGradle(text: string): Manifest {
  const plain = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const dependencies: Dependency[] = []
  const verbs =
    /\b(api|implementation|compile|compileOnly|runtimeOnly|annotationProcessor|kapt|ksp|testImplementation|testRuntimeOnly|testCompileOnly|androidTestImplementation|classpath)\b\s*\(?\s*(?:platform\s*\(\s*)?(?:['"]([\w.-]+):([\w.-]+)(?::([^'"@]+))?[^'"]*['"]|(libs\.[\w.]+)|project\s*\(\s*(?:path:\s*)?['"]([^'"]+)['"])/g
  for (const [, verb, group, name, version, alias, project] of plain.matchAll(verbs)) {
    const scope: Scope = /test/i.test(verb!) ? 'development' : verb === 'classpath' ? 'build' : 'runtime'
    if (project !== undefined) dependencies.push({ name: project, requirement: 'project', scope, firmness: 'local' })
    else if (alias !== undefined)
      dependencies.push({ name: alias, requirement: 'catalogue', scope, firmness: 'elsewhere' })
    else
      dependencies.push({
        name: `${group}:${name}`,
        requirement: version ?? '',
        scope,
        firmness: version === undefined || version.includes('$') ? 'elsewhere' : mavenFirmness(version),
      })
  }
  return { ecosystem: 'Gradle', name: null, licence: null, private: false, dependencies }
}
