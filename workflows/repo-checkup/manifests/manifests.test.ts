import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseComposerLock } from './composer.ts'
import { findParser } from './find-parser.ts'
import { compatibilityOf, firmnessOf, type Manifest } from './manifest.ts'
import { parsePackageLock } from './npm.ts'

const parse = (path: string, text: string): Manifest => findParser(path)!(text)
const short = (manifest: Manifest) =>
  manifest.dependencies.map((d) => `${d.name} ${d.requirement} ${d.scope} ${d.firmness}`)

describe('manifests', () => {
  test('package.json', () => {
    const manifest = parse(
      'package.json',
      JSON.stringify({
        name: 'x',
        license: 'MIT',
        private: true,
        dependencies: { a: '^1.0.0', b: '1.2.3', c: '*', d: 'github:o/r', e: 'workspace:^', f: 'npm:@s/real@^2' },
        devDependencies: { g: '>=1' },
        peerDependencies: { h: '1 || 2' },
      }),
    )
    expect(manifest).toMatchObject({ ecosystem: 'npm', name: 'x', licence: 'MIT', private: true })
    expect(short(manifest)).toEqual([
      'a ^1.0.0 runtime range',
      'b 1.2.3 runtime exact',
      'c * runtime open',
      'd github:o/r runtime source',
      'e workspace:^ runtime local',
      'f npm:@s/real@^2 runtime range',
      'g >=1 development open',
      'h 1 || 2 peer range',
    ])
    expect(parse('package.json', '{"licenses":[{"type":"MIT"},{"type":"GPL-2.0"}]}').licence).toBe('MIT OR GPL-2.0')
    expect(() => parse('package.json', '{ broken')).toThrow(SyntaxError)
  })

  test('pyproject.toml of both kinds, requirements, Pipfile, setup.cfg', () => {
    const pep621 = parse(
      'pyproject.toml',
      '[project]\nname = "p"\nlicense = {text = "BSD"}\ndependencies = ["a>=1,<2", "b", "c==1.0 ; python_version < \'3\'", "d[x] @ git+https://h/d"]\n[project.optional-dependencies]\nfast = ["e~=1.1"]\n[dependency-groups]\ndev = ["f"]\n[build-system]\nrequires = ["hatchling"]\n',
    )
    expect(pep621).toMatchObject({ name: 'p', licence: 'BSD', private: false })
    expect(short(pep621).map((line) => line.replace(/ .* (\S+ \S+)$/, ' $1'))).toEqual([
      'a runtime range',
      'b runtime open',
      'c runtime exact',
      'd runtime source',
      'e optional range',
      'f development open',
      'hatchling build open',
    ])
    const poetry = parse(
      'pyproject.toml',
      '[tool.poetry]\nname = "q"\nlicense = "MIT"\n[tool.poetry.dependencies]\npython = "^3.9"\na = "^1.0"\nb = {git = "https://h/b"}\n[tool.poetry.group.dev.dependencies]\nc = "*"\n',
    )
    expect(short(poetry)).toEqual(['a ^1.0 runtime range', 'b https://h/b runtime source', 'c * development open'])
    expect(
      short(
        parse(
          'requirements-dev.txt',
          '# c\n-r base.txt\na==1.0 --hash=sha256:x \\\n  --hash=sha256:y\nb>=2 # why\n-e .\n\n',
        ),
      ),
    ).toEqual(['a ==1.0 development exact', 'b >=2 development open', '-e . -e . development local'])
    expect(short(parse('Pipfile', '[packages]\na = "==1.0"\n[dev-packages]\nb = "*"\n'))).toEqual([
      'a ==1.0 runtime exact',
      'b * development open',
    ])
    expect(
      parse('setup.cfg', '[metadata]\nname = s\nlicense = MIT\n[options]\ninstall_requires =\n    a>1\n    b\n'),
    ).toMatchObject({ name: 's', licence: 'MIT', dependencies: [{ name: 'a' }, { name: 'b' }] })
  })

  test('Cargo.toml, go.mod', () => {
    const cargo = parse(
      'Cargo.toml',
      '[package]\nname = "c"\nlicense = "MIT OR Apache-2.0"\n[dependencies]\na = "1.2"\nb = { path = "../b" }\nc = { git = "https://h/c" }\nd.workspace = true\n[target.\'cfg(unix)\'.dependencies]\ne = "=1.0.0"\n[dev-dependencies]\nf = "*"\n',
    )
    expect(cargo).toMatchObject({ name: 'c', licence: 'MIT OR Apache-2.0', private: false })
    expect(short(cargo)).toEqual([
      'a 1.2 runtime range',
      'b * runtime local',
      'c * runtime source',
      'd * runtime elsewhere',
      'f * development open',
      'e =1.0.0 runtime exact',
    ])
    const go = parse(
      'go.mod',
      'module example.com/m // note\n\ngo 1.22\n\nrequire example.com/a v1.0.0\nrequire (\n\texample.com/b v2.1.0+incompatible\n\texample.com/c v0.1.0 // indirect\n)\nreplace example.com/b => ../b\n',
    )
    expect(go.name).toBe('example.com/m')
    expect(short(go)).toEqual(['example.com/a v1.0.0 runtime exact', 'example.com/b => ../b runtime local'])
  })

  test('pom.xml and Gradle', () => {
    const pom = parse(
      'pom.xml',
      '<project><parent><artifactId>up</artifactId></parent><artifactId>m</artifactId><licenses><license><name>Apache 2.0</name></license></licenses><!-- <dependency><groupId>no</groupId></dependency> --><dependencyManagement><dependencies><dependency><groupId>g</groupId><artifactId>managed</artifactId><version>1</version></dependency></dependencies></dependencyManagement><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>1.0</version></dependency><dependency><groupId>g</groupId><artifactId>b</artifactId><scope>test</scope></dependency><dependency><groupId>g</groupId><artifactId>c</artifactId><version>2-SNAPSHOT</version></dependency></dependencies></project>',
    )
    expect(pom).toMatchObject({ name: 'm', licence: 'Apache 2.0' })
    expect(short(pom)).toEqual(['g:a 1.0 runtime exact', 'g:b  development elsewhere', 'g:c 2-SNAPSHOT runtime open'])
    expect(
      short(
        parse(
          'build.gradle.kts',
          'dependencies {\n  implementation("g:a:1.0")\n  // implementation("g:no:1")\n  testImplementation(libs.junit)\n  api(project(":core"))\n  implementation("g:b:1.+")\n  implementation("g:c:$version")\n}\n',
        ),
      ),
    ).toEqual([
      'g:a 1.0 runtime exact',
      'libs.junit catalogue development elsewhere',
      ':core project runtime local',
      'g:b 1.+ runtime open',
      'g:c $version runtime elsewhere',
    ])
  })

  test('Ruby, PHP, .NET, Dart, Elixir', () => {
    expect(
      short(
        parse(
          'Gemfile',
          "gem 'a', '~> 1.0'\ngem 'b'\ngem 'c', github: 'o/c'\ngroup :test do\n  gem 'd', '1.2.3'\nend\ngem 'e', '>= 1', '< 3'\n",
        ),
      ),
    ).toEqual([
      'a ~> 1.0 runtime range',
      'b  runtime open',
      'c  runtime source',
      'd 1.2.3 development exact',
      'e >= 1, < 3 runtime range',
    ])
    expect(
      parse(
        'x.gemspec',
        "Gem::Specification.new 'x' do |s|\n s.license = 'MIT'\n s.add_dependency 'a', '>= 1'\n s.add_development_dependency('b')\nend",
      ),
    ).toMatchObject({
      name: 'x',
      licence: 'MIT',
      dependencies: [
        { name: 'a', scope: 'runtime' },
        { name: 'b', scope: 'development' },
      ],
    })
    expect(
      short(parse('composer.json', '{"require":{"php":">=8","o/a":"^1.0"},"require-dev":{"o/b":"dev-main"}}')),
    ).toEqual(['o/a ^1.0 runtime range', 'o/b dev-main development open'])
    expect(
      short(
        parse(
          'A.csproj',
          '<Project><ItemGroup><PackageReference Include="A" Version="1.0" /><PackageReference Include="B" Version="2.*" /><PackageReference Include="C" /></ItemGroup></Project>',
        ),
      ),
    ).toEqual(['A 1.0 runtime exact', 'B 2.* runtime open', 'C  runtime elsewhere'])
    expect(
      short(
        parse(
          'pubspec.yaml',
          'name: x\ndependencies:\n  flutter:\n    sdk: flutter\n  a: ^1.0.0\n  b: any\ndev_dependencies:\n  c: 1.2.3\n',
        ),
      ),
    ).toEqual(['a ^1.0.0 runtime range', 'b any runtime open', 'c 1.2.3 development exact'])
    expect(
      short(parse('mix.exs', 'app: :x,\n{:a, "~> 1.0"},\n{:b, ">= 0.0.0", only: :test},\n{:c, github: "o/c"}')),
    ).toEqual(['a ~> 1.0 runtime range', 'b >= 0.0.0 development open', 'c github: "o/c" runtime source'])
  })

  test('Dockerfiles and GitHub workflows', () => {
    expect(
      short(
        parse(
          'Dockerfile',
          'FROM node:24 AS build\nFROM --platform=linux/amd64 build\nFROM scratch\nFROM alpine\nFROM reg.io:5000/x@sha256:abc\nfrom $BASE\n',
        ),
      ),
    ).toEqual([
      'node 24 build range',
      'alpine latest build open',
      'reg.io:5000/x latest build exact',
      '$BASE latest build elsewhere',
    ])
    expect(
      short(
        parse(
          '.github/workflows/ci.yml',
          `steps:\n  - uses: actions/checkout@v4\n  - uses: "o/r/sub@${'a'.repeat(40)}" # v1\n  - uses: ./local\n  - uses: docker://alpine\n`,
        ),
      ),
    ).toEqual(['actions/checkout v4 build open', `o/r/sub ${'a'.repeat(40)} build exact`])
  })

  test('lock files tell licences', () => {
    expect(
      parsePackageLock(
        '{"lockfileVersion":3,"packages":{"":{"name":"x"},"node_modules/a":{"version":"1.0.0","license":"MIT"},"node_modules/b/node_modules/@s/c":{"version":"2.0.0","dev":true},"packages/w":{},"node_modules/w":{"link":true}}}',
      ),
    ).toEqual([
      { name: 'a', version: '1.0.0', licence: 'MIT', development: false },
      { name: '@s/c', version: '2.0.0', licence: null, development: true },
    ])
    expect(
      parseComposerLock('{"packages":[{"name":"o/a","version":"1","license":["MIT","GPL-2.0"]}],"packages-dev":[]}'),
    ).toEqual([{ name: 'o/a', version: '1', licence: 'MIT OR GPL-2.0', development: false }])
  })

  test('files of other names are none', () => {
    for (const path of ['package.json.bak', 'src/go.mod.ts', 'constructor', 'docs/requirements.md', '__proto__'])
      expect(findParser(path)).toBeNull()
  })

  test('no parser fails on strange text but by SyntaxError', () => {
    const paths = [
      'package.json',
      'composer.json',
      'pyproject.toml',
      'requirements.txt',
      'Pipfile',
      'setup.cfg',
      'Cargo.toml',
      'go.mod',
      'pom.xml',
      'build.gradle',
      'Gemfile',
      'x.gemspec',
      'A.csproj',
      'pubspec.yaml',
      'mix.exs',
      'Dockerfile',
      '.github/workflows/a.yml',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.oneof(fc.string({ maxLength: 200 }), fc.json()), (path, text) => {
        try {
          parse(path, text)
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('requirements', () => {
  test.each([
    ['', true, 'open'],
    ['1.2', true, 'range'],
    ['1.2.3', true, 'range'],
    ['1.2.3', false, 'exact'],
    ['~> 1', false, 'range'],
    ['>=1 <2', false, 'range'],
    ['>=1', false, 'open'],
    ['git+https://h/x', false, 'source'],
    ['o/r#v1', false, 'source'],
    ['../x', false, 'local'],
    ['catalog:', false, 'elsewhere'],
    ['latest', false, 'open'],
    ['1.x', false, 'range'],
  ] as const)('%s (bare is a range: %s) is %s', (requirement, bare, firmness) => {
    expect(firmnessOf(requirement, bare)).toBe(firmness)
  })

  test('are compatible by major version where they are ranges', () => {
    const key = (requirement: string, firmness: 'range' | 'exact' = 'range') =>
      compatibilityOf({ requirement, firmness })
    expect(key('^1.2.3')).toBe(key('~1.9'))
    expect(key('^0.2.3')).not.toBe(key('^0.3.0'))
    expect(key('1.2.3', 'exact')).not.toBe(key('1.2.4', 'exact'))
  })
})
