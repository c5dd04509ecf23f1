import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listSources, root } from './meta/source-tree.ts'
import { findSystemScopes } from './meta/system-scopes.ts'
import { withoutComments } from './meta/without-comments.ts'

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)) && statSync(join(root, path)).isFile())
const programs = tracked.filter(
  (path) => /\.(ts|mjs|js|sql)$/.test(path) && !/\.generated\.|migrations\/schema\.sql$/.test(path),
)
const sources = listSources('src').map((file) => ({ ...file, code: withoutComments(file.text) }))

function filesWith(pattern: RegExp, allowed: RegExp): string[] {
  return sources.filter((file) => pattern.test(file.code) && !allowed.test(file.path)).map((file) => file.path)
}

describe('file size', () => {
  const sizes = programs.map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }))

  test('no file is longer than 500 lines', () => {
    expect(sizes.filter(({ lines }) => lines > 500)).toEqual([])
  })

  test('the median source file stays near 80 lines', () => {
    const lines = sizes
      .filter(({ path }) => path.startsWith('src/'))
      .map((file) => file.lines)
      .sort((a, b) => a - b)
    const median = lines[Math.floor(lines.length / 2)]!
    console.log(
      `${lines.length} files in src: median ${median} lines, 90 % under ${lines[Math.floor(lines.length * 0.9)]}`,
    )
    expect(median).toBeLessThanOrEqual(110)
  })
})

describe('what only some places may do', () => {
  test('only config/env.ts reads the environment', () => {
    expect(filesWith(/\bprocess\.env\b/, /^src\/foundation\/platform\/config\/env\.ts$/)).toEqual([])
  })

  test('only the last line of the CLI ends the process', () => {
    expect(filesWith(/\bprocess\.(exit|abort|reallyExit)\b/, /^src\/cli\/cli\.ts$/)).toEqual([])
    const lines = readFileSync(join(root, 'src/cli/cli.ts'), 'utf8').trimEnd().split('\n')
    expect(lines.slice(0, -1).filter((line) => line.includes('process.exit('))).toEqual([])
  })

  test('only the parts that own processes start them', () => {
    const allowed =
      /^src\/(foundation\/platform\/(processes|git)\/|foundation\/platform\/config\/secrets\.ts$|foundation\/platform\/data-folder\/process-identity\.ts$|cli\/background-server\.ts$)/
    expect(filesWith(/['"](node:)?child_process['"]/, allowed)).toEqual([])
  })

  test('nothing is started through a shell', () => {
    expect(filesWith(/\bshell:\s*(true|['"`])|\bexec(Sync)?\(\s*[`'"]/, /^$/)).toEqual([])
  })

  test('the rules bite', () => {
    const planted =
      'const a = process.env.HOME\nspawn("ls", { shell: true })\n// process.exit(1)\n/* process.exit(2) */\n'
    expect(/\bprocess\.env\b/.test(withoutComments(planted))).toBe(true)
    expect(/\bshell:\s*true/.test(withoutComments(planted))).toBe(true)
    expect(/\bprocess\.exit\b/.test(withoutComments(planted))).toBe(false)
    expect(withoutComments("const url = 'http://x' // gone\nconst glob = '/*'\nkept()")).toContain('kept()')
    expect(withoutComments("const url = 'http://x' // gone")).toContain('http://x')
  })
})

describe('system scope', () => {
  test('every caller gives a literal reason', () => {
    expect(findSystemScopes(sources).filter(({ reason }) => reason.startsWith('not a literal'))).toEqual([])
  })

  test('a planted caller without a reason is found', () => {
    const file = { path: 'src/x.ts', text: 'database.asSystem(why).read(fn)', imports: [] }
    expect(findSystemScopes([file])[0]?.reason).toBe('not a literal: why')
  })
})

describe('what a clone carries away', () => {
  test('no tracked file names a folder of the machine it was written on', () => {
    const folders = [root, join(homedir(), '/')].filter((folder) => folder.length > 2)
    const isText = (path: string) => /\.(ts|mjs|js|json|md|sql|ya?ml|html|css)$|^[^.]*$|^\.ci\//.test(path)
    const hits = tracked.filter(isText).flatMap((path) => {
      const text = readFileSync(join(root, path), 'utf8')
      return folders.filter((folder) => text.includes(folder)).map((folder) => `${path} names ${folder}`)
    })
    expect(hits).toEqual([])
  })

  test.each(['package-lock.json', 'bench/package-lock.json'])(
    '%s names no package host but the public registry',
    (path) => {
      const hosts = new Set(
        [...readFileSync(join(root, path), 'utf8').matchAll(/"resolved": "https?:\/\/([^/"]+)/g)].map(
          (match) => match[1],
        ),
      )
      hosts.delete('registry.npmjs.org')
      expect([...hosts]).toEqual([])
    },
  )
})
