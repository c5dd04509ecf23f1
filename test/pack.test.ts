import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unpackImage } from '../src/foundation/platform/database/pglite/image.ts'
import { root } from './meta/source-tree.ts'
import { copyTree } from './support/copy-tree.ts'

const execute = promisify(execFile)
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

let folder: string
let consumer: string
let packed: readonly string[]

/** Runs a program in `cwd` as a user's shell would: this Node first on the PATH, nothing of npm's or the tests' own. */
async function run(cwd: string, command: string, args: readonly string[]): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|LEANVIBE_|CI$)/i.test(name))
  const env = {
    ...Object.fromEntries(inherited),
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    HOME: folder,
  }
  const cache = process.env.npm_config_cache ?? join(process.env.HOME ?? '/', '.npm')
  try {
    const { stdout } = await execute(command, args, {
      cwd,
      env: { ...env, npm_config_cache: cache, npm_config_userconfig: join(process.env.HOME ?? '/', '.npmrc') },
      timeout: 240_000,
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')} failed\n${stdout ?? ''}\n${stderr ?? ''}`, { cause: error })
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'leanvibe-pack-'))
  const tree = join(folder, 'tree')
  consumer = join(folder, 'consumer')
  mkdirSync(consumer)
  copyTree(tree)
  const [report] = JSON.parse(await run(tree, 'npm', ['pack', '--json', '--pack-destination', folder])) as [
    { filename: string; files: { path: string }[] },
  ]
  packed = report.files.map((file) => file.path)
  writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n')
  await run(consumer, 'npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', join(folder, report.filename)])
}, 300_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the package', () => {
  test('holds what it runs and nothing that only we need', () => {
    expect(packed).toEqual(
      expect.arrayContaining(['bin/leanvibe.js', 'dist/src/cli/cli.js', 'LICENSE', 'NOTICE', 'workflow.schema.json']),
    )
    expect(packed.filter((path) => /^migrations\/\d+_.*\.sql$/.test(path)).length).toBeGreaterThan(0)
    expect(packed.filter((path) => /\.(test|fixture)\.|^(test|bench|scripts|src)\//.test(path))).toEqual([])
  })

  test('brings the image of an empty database along, and starts a data folder from it', async () => {
    const images = packed.filter((path) => /^dist\/pglite-[0-9a-f]+\.tar\.gz$/.test(path))
    expect(images).toHaveLength(1)
    await unpackImage(join(consumer, 'node_modules/leanvibe', images[0]!), join(folder, 'image'))
    const place = join(folder, 'empty')
    mkdirSync(place)
    const leanvibe = join(consumer, 'node_modules/.bin/leanvibe')
    expect(await run(place, leanvibe, ['runs', '--data', 'data'])).toMatch(/no runs yet/)
    // PostgreSQL gives each new database system a number of its own, at the start of this file.
    const identifier = (data: string) => readFileSync(join(data, 'global/pg_control')).readBigUInt64LE(0)
    expect(identifier(join(place, 'data/database/pglite'))).toBe(identifier(join(folder, 'image')))
  }, 120_000)

  test('says its version', async () => {
    expect((await run(consumer, 'npx', ['--no', '--', 'leanvibe', '--version'])).trim()).toBe(manifest.version)
  })

  test('runs a workflow in an empty folder', async () => {
    const place = join(folder, 'place')
    mkdirSync(place)
    writeFileSync(
      join(place, 'hello.yaml'),
      [
        'name: hello',
        'steps:',
        '  greet:',
        '    command: [node, --version]',
        '  again:',
        '    needs: [greet]',
        '    command: [node, --version]',
        '',
      ].join('\n'),
    )
    const output = await run(place, join(consumer, 'node_modules/.bin/leanvibe'), [
      'orchestrate',
      './hello.yaml',
      '--json',
    ])
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type?: string })
    expect(lines.some((line) => line.type === 'run.succeeded')).toBe(true)
  }, 120_000)

  test('runs the bundled workflow over a repository', async () => {
    const repository = join(folder, 'repository')
    mkdirSync(repository)
    writeFileSync(join(repository, 'main.js'), '// TODO: say more\nconsole.log("hello")\n')
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.com', ...args], { cwd: repository })
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'first')
    const output = await run(repository, join(consumer, 'node_modules/.bin/leanvibe'), [
      'orchestrate',
      'repo-checkup',
      '--repo',
      '.',
      '--json',
    ])
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type?: string })
    expect(lines.some((line) => line.type === 'run.succeeded')).toBe(true)
  }, 180_000)

  test('brings a client that starts a run on its server, follows it and reads what it knows', async () => {
    const place = join(folder, 'served')
    mkdirSync(place)
    const server = spawn(join(consumer, 'node_modules/.bin/leanvibe'), ['serve', '--json'], {
      cwd: place,
      env: { PATH: [dirname(process.execPath), process.env.PATH].join(delimiter), HOME: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(server, 'exit')
    try {
      const [line] = (await once(createInterface(server.stdout), 'line')) as [string]
      const { localUrl } = JSON.parse(line) as { localUrl: string }
      const program = `
        import { readFileSync } from 'node:fs'
        import { LeanVibe } from 'leanvibe/client'
        const leanvibe = new LeanVibe({ url: process.argv[1], key: readFileSync(process.argv[2], 'utf8').trim() })
        const text = 'name: hello\\nsteps:\\n  greet: { command: [node, --version] }\\n'
        const { id } = await leanvibe.runs.start({ source: { text, fileName: 'hello.yaml' } })
        const types = []
        for await (const event of leanvibe.events({ run: id, from: 'start' })) {
          types.push(event.type)
          if (event.type === 'run.succeeded') break
        }
        let printed = ''
        for await (const line of leanvibe.runs.logs(id)) printed += line.text
        const [approvals, artifacts] = [await leanvibe.approvals.list({ run: id }), await leanvibe.artifacts.list(id)]
        console.log(JSON.stringify({ first: types[0], printed, approvals: approvals.items, artifacts }))`
      const args = ['--input-type=module', '--eval', program, localUrl, join(place, '.leanvibe/token')]
      const told = JSON.parse(await run(consumer, process.execPath, args)) as object
      expect(told).toMatchObject({ first: 'run.created', approvals: [], artifacts: [] })
      expect((told as { printed: string }).printed.trim()).toBe(process.version)
    } finally {
      server.kill('SIGTERM')
      await ended
    }
  }, 120_000)

  test('gives TypeScript its types, at each of its doors', async () => {
    writeFileSync(
      join(consumer, 'use.ts'),
      [
        "import { defineWorkflow } from 'leanvibe'",
        "import { createClient, type Client } from 'leanvibe/client'",
        "import type { RunView } from 'leanvibe/contract'",
        "export const state = (run: RunView): 'succeeded' | 'other' => (run.state === 'succeeded' ? 'succeeded' : 'other')",
        'export type Made = ReturnType<typeof defineWorkflow>',
        'export const make: (...args: Parameters<typeof createClient>) => Client = createClient',
        '// @ts-expect-error a run has no such state: the types are not any',
        "export const wrong: RunView['state'] = 'baked'",
        '// @ts-expect-error a workflow is not a number',
        'defineWorkflow(1)',
        '',
      ].join('\n'),
    )
    writeFileSync(
      join(consumer, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          module: 'nodenext',
          target: 'es2024',
          lib: ['es2024', 'esnext.disposable', 'dom'],
          types: [],
          skipLibCheck: true,
        },
        include: ['use.ts'],
      }),
    )
    await run(consumer, process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'])
  })

  test('loads at each of its doors', async () => {
    const program =
      "for (const door of ['leanvibe', 'leanvibe/client', 'leanvibe/contract']) console.log(Object.keys(await import(door)).length > 0)"
    expect(
      (await run(consumer, process.execPath, ['--input-type=module', '--eval', program])).trim().split('\n'),
    ).toEqual(['true', 'true', 'true'])
  })
})
