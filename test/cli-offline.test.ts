import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { bin, documentsOf, runCli, scratchFolder } from './support/run-cli.ts'
import { testWhen } from './support/when.ts'

const scratch = scratchFolder('cli')
afterAll(() => scratch.remove())
const cli = (...args: string[]) => runCli(args, { cwd: scratch.path })

async function project(name: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = join(scratch.path, name)
  await mkdir(join(folder, 'workflows'), { recursive: true })
  // Its own project: the search for leanvibe.yaml goes up to the first folder that has one, or a repository.
  await writeFile(join(folder, 'leanvibe.yaml'), '')
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
  return folder
}

describe('the command line', () => {
  test('says its version, for people and for programs', async () => {
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(await cli('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    expect(documentsOf((await cli('--version', '--json')).stdout)).toEqual([{ version, node: process.versions.node }])
  })

  test('shows every command in its help, and the help of each', async () => {
    const { code, stdout } = await cli('--help')
    expect(code).toBe(0)
    const names = [
      'orchestrate',
      'spawn',
      'runs',
      'approvals',
      'checkpoint',
      'monitor',
      'agents',
      'workflows',
      'serve',
      'work',
      'init',
      'doctor',
      'completion',
    ]
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    expect((await cli()).stdout).toBe(stdout)
    const helps = await Promise.all(names.map((name) => cli(name, '--help')))
    for (const [index, help] of helps.entries()) {
      expect(help.code).toBe(0)
      expect(help.stdout).toContain(`Usage: leanvibe ${names[index]}`)
      // The script that completion prints is for a shell, which knows no other form.
      if (names[index] !== 'completion') expect(help.stdout).toContain('--json')
    }
  })

  test('a file that is not there is told as such', async () => {
    const { code, stderr } = await cli('orchestrate', './missing.yaml', '--validate')
    expect(stderr).toMatch(/there is no file \.\/missing\.yaml/)
    expect(stderr).toMatch(/^next {2}give the path/m)
    expect(code).toBe(66)
  })

  test.each([
    [['nope'], /unknown command 'nope'/],
    [['orchestrat', 'x'], /Did you mean orchestrate\?/],
    [['runs', 'list', '--bogus'], /unknown option '--bogus'/],
    [['runs', 'bogus'], /too many arguments.*bogus.*\(runs has list, show, cancel/],
    [['orchestrate'], /expected a workflow/],
    [['orchestrate', ''], /expected a workflow/],
    [['orchestrate', '.', '--validate'], /cannot read the workflow \.: it is a folder/],
    [['orchestrate', 'a', '--workflow', 'b'], /named twice/],
    [['orchestrate', 'a', '--input', 'novalue'], /expected name=value/],
    [['orchestrate', 'a', '--agents', 'two'], /whole number/],
    [['orchestrate', '--resume', 'run_1', 'a'], /takes no workflow/],
    [['orchestrate', 'missing', '--validate'], /no workflow is called missing/],
    [['spawn'], /required option '--task/],
    [['spawn', '--task', 'x', '--depth', 'shallow'], /standard, deep, ultrathink/],
    [['checkpoint', '--list', '--restore', 'x'], /cannot be asked for together/],
    [['runs', 'retry', 'run_1', '--from', 'a', '--failed'], /cannot be used with/],
    [['pools', 'policy', 'p', '--file', 'p.json', '--every', '5s'], /nothing beside it is read/],
  ])('refuses %j and says what to do next', async (args, message) => {
    const { code, stdout, stderr } = await cli(...args)
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/^next {2}/m)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('tells a failure as a document where it is asked for documents', async () => {
    const { code, stdout, stderr } = await cli('nope', '--json')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(documentsOf(stderr)).toEqual([
      { error: expect.objectContaining({ code: 'usage', kind: 'input', next: expect.any(String) }) },
    ])
  })

  test('loads no more than it needs, so that it starts at once', async () => {
    const preload = new URL('./support/log-imports.mjs', import.meta.url).href
    const env = { NODE_OPTIONS: `--import ${preload}` }
    const packagesOf = async (...args: string[]) => {
      const { stderr } = await runCli(args, { cwd: scratch.path, env })
      return /^packages: (.*)$/m.exec(stderr)![1]!.split(' ')
    }
    expect(await packagesOf('--version')).toEqual(['picocolors'])
    expect(await packagesOf('--help')).toEqual(['commander', 'picocolors'])
    const validate = await packagesOf('orchestrate', 'none', '--validate')
    expect(validate).toContain('zod')
    for (const heavy of ['fastify', 'ink', 'react', 'pg', '@electric-sql/pglite']) expect(validate).not.toContain(heavy)
  })

  test('ends quietly when its reader has seen enough', () => {
    const shell = spawnSync('bash', ['-c', `set -o pipefail; "${process.execPath}" "${bin}" --help | head -1`], {
      encoding: 'utf8',
    })
    expect(shell.stdout).toBe('Usage: leanvibe [options] [command]\n')
    expect(shell.stderr).toBe('')
  })
})

describe('folders that cannot be made', () => {
  // Neither root nor anybody else can make a folder below a file.
  const below = join(import.meta.filename, 'below')
  const folders = process.platform === 'linux' ? [below, '/proc/leanvibe'] : [below]

  test.each(folders)('%s is refused as a data folder, at once', async (folder) => {
    const calls = [
      ['runs', '--data', folder],
      ['orchestrate', 'example', '--detach', '--data', folder],
      ['serve', '--data', folder],
    ]
    for (const args of calls) {
      const { code, stdout, stderr } = await cli(...args)
      expect({ code, stdout }).toEqual({ code: 69, stdout: '' })
      expect(stderr).toMatch(/^error .*\[data-folder-unusable\]\nnext {2}.*name another data folder/)
    }
    const doctor = await cli('doctor', '--data', folder)
    expect(doctor.code).toBe(69)
    expect(doctor.stdout).toMatch(/✖ data folder/)
  })

  test.each(folders)('%s is refused for results, before any work is done', async (folder) => {
    const cwd = await project(`out-${folders.indexOf(folder)}`, {
      'workflows/mark.yaml': 'name: mark\nsteps:\n  a: { command: [touch, started] }\n',
    })
    const { code, stderr } = await runCli(['orchestrate', 'mark', '--out', join(folder, 'out')], { cwd })
    expect(code).toBe(69)
    expect(stderr).toMatch(/^error .*\[file-not-written\]\nnext {2}/)
    await expect(stat(join(cwd, '.leanvibe'))).rejects.toThrow('ENOENT')
  })
})

describe('init', () => {
  test('writes files that its own checks accept, and never over others', async () => {
    const folder = await project('fresh')
    const cwd = join(folder, 'inner')
    const agents = join(folder, 'agents')
    await mkdir(cwd)
    await mkdir(agents)
    for (const name of ['claude', 'codex', 'gemini', 'aider', 'opencode', 'qwen', 'goose', 'cursor-agent', 'copilot']) {
      await writeFile(join(agents, name), '#!/bin/sh\n', { mode: 0o755 })
    }
    const env = { PATH: `${agents}:${process.env.PATH}` }
    const first = await runCli(['init'], { cwd, env })
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/agents found: Claude Code, Codex, Gemini CLI/)
    expect(await readFile(join(cwd, 'leanvibe.yaml'), 'utf8')).toMatch(/^ {2}claude: /m)
    const check = await runCli(['workflows', 'validate', 'example', 'review', 'workflows/example.yaml'], { cwd, env })
    expect(check).toMatchObject({ code: 0, stderr: '' })
    expect((await runCli(['doctor'], { cwd, env })).stdout).toMatch(/agents on PATH +gemini \(acp\), .*claude, codex/)

    await writeFile(join(cwd, 'leanvibe.yaml'), '# mine\n')
    const second = await runCli(['init'], { cwd, env })
    expect(second).toMatchObject({ code: 75, stdout: '' })
    expect(second.stderr).toMatch(/leanvibe.yaml is there already[\s\S]*--force/)
    expect(await readFile(join(cwd, 'leanvibe.yaml'), 'utf8')).toBe('# mine\n')
    expect((await runCli(['init', '--force', '--json'], { cwd })).stdout).toContain('"type":"initialised"')
    expect(await readFile(join(cwd, 'leanvibe.yaml'), 'utf8')).toMatch(/No known coding agent/)
  })
})

describe('validate', () => {
  const broken = 'name: broken\nsteps:\n  a:\n    command: [echo]\n    needs: [b]\n  b:\n    comand: [echo]\n'

  test('names file, line and column of each finding', async () => {
    const cwd = await project('broken', {
      'flow.yaml': broken,
      'workflows/good.yaml': 'name: good\nsteps:\n  a: { command: [echo] }\n',
    })
    const bad = await runCli(['orchestrate', './flow.yaml', '--validate'], { cwd })
    expect(bad.code).toBe(65)
    expect(bad.stdout).toMatch(/✖ \.\/flow\.yaml:7:5: .*comand/)
    expect(bad.stderr).toMatch(/^next {2}/)
    const json = await runCli(['workflows', 'validate', 'flow.yaml', 'good', '--json'], { cwd })
    expect(json.code).toBe(65)
    expect(documentsOf(json.stdout)).toEqual([
      expect.objectContaining({
        type: 'validation',
        valid: false,
        problems: [expect.objectContaining({ line: 7, column: 5 })],
      }),
      expect.objectContaining({ valid: true, name: 'good', steps: 1 }),
    ])
  })

  test('checks inputs against the workflow, and starts nothing', async () => {
    const cwd = await project('inputs', {
      'workflows/add.yaml': 'name: add\ninputs:\n  n: { type: number }\nsteps:\n  a: { command: [touch, started] }\n',
    })
    expect(await runCli(['orchestrate', 'add', '--validate', '--input', 'n=2'], { cwd })).toMatchObject({ code: 0 })
    const bad = await runCli(['orchestrate', 'add', '--validate', '--input', 'n=two'], { cwd })
    expect(bad.code).toBe(65)
    expect(bad.stdout).toMatch(/expected a number/)
  })
})

describe('doctor', () => {
  test('finds faults, says what to do, and exits with a code that tells', async () => {
    const cwd = await project('ill', { 'leanvibe.yaml': 'agents: none\n' })
    const ill = await runCli(['doctor'], { cwd, env: { PATH: '/nowhere' } })
    expect(ill.code).toBe(69)
    expect(ill.stdout).toMatch(/✖ git +.*\n +next /)
    expect(ill.stdout).toMatch(/✖ configuration .*leanvibe.yaml:1:1: agents: expected number/)
    const documents = documentsOf((await runCli(['doctor', '--json'], { cwd })).stdout)
    expect(documents).toContainEqual(
      expect.objectContaining({ name: 'configuration', status: 'bad', next: expect.any(String) }),
    )
    // A note where nothing here can confine agents.
    const confined = { name: 'files and network', status: expect.stringMatching(/^(ok|note)$/) }
    expect(documents).toContainEqual(expect.objectContaining(confined))
  })

  test('does not show the password of a database that does not answer', async () => {
    const cwd = await project('remote')
    const { code, stdout, stderr } = await runCli(['doctor'], {
      cwd,
      env: { DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/none' },
    })
    expect(code).toBe(69)
    expect(stdout).toMatch(/✖ database +PostgreSQL does not answer/)
    expect(stdout + stderr).not.toContain('hunter2')
  })

  test('tells of pools whether their agents answer, have their keys, and have their models', async () => {
    const service = createServer((_, response) => response.writeHead(405).end())
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
    const http = (more: string) => `{ kind: http, http: { url: '${url}/x', allow: [127.0.0.1/32]${more} } }`
    const yaml = `secrets: { KEY: { env: KEY }, GONE: { env: GONE } }
a2a: { allow: [127.0.0.1/32] }
models: { accounts: { own: { provider: compatible, url: '${url}', secret: KEY, models: [small] } } }
pools:
  there: ${http(', auth: { bearer: KEY }')}
  keyless: ${http(', auth: { bearer: GONE }')}
  away: { kind: a2a, a2a: { card: 'http://127.0.0.1:1/' } }
  thinks: { kind: llm, models: [small], llm: { model: small } }
  unknown: { kind: llm, models: [large], llm: { model: large } }
  module: { kind: function, function: { module: none.ts } }
`
    const cwd = await project('pools', { 'leanvibe.yaml': yaml })
    try {
      const { code, stdout } = await runCli(['doctor'], { cwd, env: { KEY: 'hunter2hunter2' } })
      const line = (name: string) => stdout.split('\n').find((each) => each.includes(`pool ${name} `)) ?? stdout
      expect(line('there')).toMatch(/✔ pool there \(http\) +http\S+ answers, key present/)
      expect(line('keyless')).toMatch(/✖ .*GONE/)
      expect(line('away')).toMatch(/! /)
      expect(line('thinks')).toMatch(/✔ .*small by own \(key present\)/)
      expect(line('unknown')).toMatch(/✖ .*there is no model large/)
      expect(line('module')).toMatch(/! .*none\.ts/)
      expect(stdout).not.toContain('hunter2')
      expect(code).toBe(69)
    } finally {
      service.close()
    }
  })

  test('removes what a crash left, when told to', async () => {
    const cwd = await project('crashed')
    await mkdir(join(cwd, '.leanvibe'))
    await writeFile(join(cwd, '.leanvibe', '.lock-1234'), '')
    expect((await runCli(['doctor'], { cwd })).stdout).toMatch(/! leftovers +1 unfinished file/)
    expect((await runCli(['doctor', '--fix'], { cwd })).stdout).toMatch(/✔ leftovers .*removed/)
    expect((await runCli(['doctor'], { cwd })).stdout).toMatch(/✔ leftovers +none/)
  })
})

test('doctor removes worktrees that the repository of the project still registers', async () => {
  const cwd = await project('registered')
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.com', ...args], { cwd, encoding: 'utf8' })
  git('init', '-q')
  git('commit', '-q', '--allow-empty', '-m', 'first')
  git('worktree', 'add', '-q', '--detach', join(cwd, '.leanvibe/workspaces/old/old'))
  await rm(join(cwd, '.leanvibe/workspaces'), { recursive: true })
  expect((await runCli(['doctor'], { cwd })).stdout).toMatch(/! leftovers +1 workspace\n/)
  expect((await runCli(['doctor', '--fix'], { cwd })).stdout).toMatch(/✔ leftovers +1 workspace: removed/)
  expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1)
  expect((await runCli(['doctor'], { cwd })).stdout).toMatch(/✔ leftovers +none/)
})

describe('completion', () => {
  test('knows commands, sub-commands and options', async () => {
    expect((await cli('complete', '--', 'orch')).stdout).toContain('orchestrate')
    expect((await cli('complete', '--', 'runs', '')).stdout).toMatch(/retry/)
    expect((await cli('complete', '--', 'orchestrate', '--')).stdout).toMatch(/--parallel/)
  })

  test.each(['bash', 'zsh'])('prints a script that %s accepts', async (shell) => {
    const { code, stdout } = await cli('completion', shell)
    expect(code).toBe(0)
    expect(stdout).toContain('leanvibe')
    if (shell === 'bash') execFileSync('bash', ['-n'], { input: stdout })
  })
})

describe('an old Node', () => {
  const old = findOldNode()
  testWhen(old !== null, 'there is no older Node here')(
    'is replaced by the pinned one, or told what to do',
    async () => {
      const found = await runCli(['--version', '--json'], { cwd: scratch.path, node: old! })
      expect(documentsOf(found.stdout)[0]?.node).toMatch(/^24\./)
      await mkdir(join(scratch.path, 'alone', 'bin'), { recursive: true })
      const copy = join(scratch.path, 'alone', 'bin', 'leanvibe.js')
      await writeFile(copy, await readFile(bin))
      await writeFile(join(scratch.path, 'alone', 'package.json'), '{"type":"module"}')
      const alone = spawnSync(old!, [copy, '--version'], { encoding: 'utf8' })
      expect(alone.status).toBe(69)
      expect(alone.stderr).toMatch(/needs Node 22\.18 or newer[\s\S]*next: /)
    },
  )
})

function findOldNode(): string | null {
  for (const file of ['/usr/bin/node', '/usr/local/bin/node']) {
    const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8' })
    if (/^v(14|16|18|20)\./.test(stdout ?? '')) return file
  }
  return null
}
