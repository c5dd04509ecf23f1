import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { ModelServer } from '../support/model-server/index.ts'
import { documentsOf, runCli, scratchFolder } from '../support/run-cli.ts'
import { peersThere, preparePeers, preparePeersMs } from './peers.ts'

// MCP servers from npm, as agents and as tools of a real coding agent, through the whole program.

const programs = fileURLToPath(new URL('node_modules/.bin', import.meta.url))
const files = { 'notes.txt': 'the word is heliotrope\n', 'README.md': '# Notes\n' }

describe.skipIf(!peersThere)('real MCP servers', () => {
  const scratch = scratchFolder('peer-mcp')
  let server: ModelServer
  let remote: ChildProcess | null = null
  beforeAll(preparePeers, preparePeersMs)
  beforeAll(async () => {
    server = await ModelServer.start()
  })
  afterEach(() => server.reset())
  afterAll(async () => {
    remote?.kill()
    await server?.[Symbol.asyncDispose]()
    await scratch.remove()
  })

  function prepare(name: string, pools: object, workflow: object) {
    const home = join(scratch.path, name, 'home')
    const repository = join(scratch.path, name, 'repository')
    mkdirSync(home, { recursive: true })
    makeRepository(repository, files)
    const config = { data: join(scratch.path, name, 'data'), pools }
    writeFileSync(join(repository, 'leanvibe.yaml'), JSON.stringify(config))
    writeFileSync(join(repository, 'flow.yaml'), JSON.stringify(workflow))
    return { repository, home, env: { HOME: home, PATH: `${programs}${delimiter}${process.env.PATH}` } }
  }

  async function orchestrate({ repository, env }: ReturnType<typeof prepare>, more: Record<string, string> = {}) {
    const args = ['orchestrate', 'flow.yaml', '--repo', '.', '--json']
    const run = await runCli(args, { cwd: repository, env: { ...env, ...more }, timeoutMs: 170_000 })
    return { ...run, told: documentsOf(run.stdout) }
  }

  const read = { confine: { read: [programs, join(programs, '..')] } }

  test('do single steps: files of the worktree, structured answers, progress; over standard input and HTTP', async () => {
    const port = await freePort()
    remote = spawn(process.execPath, [join(programs, 'mcp-server-everything'), 'streamableHttp'], {
      env: { PATH: process.env.PATH, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    await Promise.race([once(remote.stderr!, 'data'), once(remote.stdout!, 'data')])
    const step = (pool: string, config: object, outputs: object = { text: 'stdout' }) => ({
      ...{ agent: { prompt: 'do it', config }, pool, workspace: 'worktree', outputs, timeout: '60s' },
    })
    const place = prepare(
      'steps',
      {
        files: { kind: 'mcp', command: ['mcp-server-filesystem', '.'], ...read },
        everything: { kind: 'mcp', command: ['mcp-server-everything'], ...read },
        remote: { kind: 'mcp', mcp: { url: `http://127.0.0.1:${port}/mcp` } },
      },
      {
        name: 'tools',
        steps: {
          read: step('files', { tool: 'read_text_file', path: 'notes.txt' }),
          write: step('files', { tool: 'write_file', path: 'made.txt', content: 'by a tool\n' }),
          outside: { ...step('files', { tool: 'read_text_file', path: '/etc/hostname' }), allowFailure: true },
          sum: step('everything', { tool: 'get-sum', a: '2', b: '40' }),
          weather: step(
            'everything',
            { tool: 'get-structured-content', location: 'New York' },
            { degrees: { from: 'json', select: 'temperature' } },
          ),
          long: step('everything', { tool: 'trigger-long-running-operation', duration: '1', steps: '4' }),
          echo: step('remote', { tool: 'echo', message: 'over HTTP' }),
        },
        outputs: Object.fromEntries(
          ['read', 'sum', 'long', 'echo']
            .map((id) => [id, `\${{ steps.${id}.outputs.text }}`])
            .concat([
              ['degrees', '${{ steps.weather.outputs.degrees }}'],
              ['commit', '${{ steps.write.outputs.commit }}'],
            ]),
        ),
      },
    )
    const { told, code, stderr } = await orchestrate(place)
    expect(code, `${stderr}\n${JSON.stringify(told.at(-1))}`).toBe(0)
    const { outputs } = (told.at(-1) as { run: { outputs: Record<string, string> } }).run
    expect(outputs).toMatchObject({
      read: expect.stringContaining('heliotrope'),
      sum: expect.stringContaining('42'),
      echo: 'Echo: over HTTP',
      long: expect.stringContaining('completed'),
    })
    expect(Number(outputs.degrees)).not.toBeNaN()
    expect(rawGit(place.repository, 'show', `${outputs.commit}:made.txt`)).toBe('by a tool')
    const log = await runCli(['runs', 'logs', (told.at(-1) as { run: { id: string } }).run.id, '--step', 'outside'], {
      cwd: place.repository,
      env: place.env,
    })
    expect(log.stdout + log.stderr).toContain('Access denied')
  }, 180_000)

  test('are tools of a real coding agent: what is allowed is called through us, what is off it never sees', async () => {
    const rules = { default: 'off', tools: { read_text_file: 'allow' } }
    const place = prepare(
      'agent',
      {
        coder: {
          ...{ kind: 'acp', command: ['gemini', '--acp'], env: ['HOME', ...geminiVariables] },
          ...{
            permissions: { execute: 'off' },
            confine: { write: ['~'], read: [programs, join(programs, '..')] },
          },
          tools: { files: { command: ['mcp-server-filesystem', '.'], ...rules } },
        },
      },
      {
        name: 'ask',
        steps: {
          say: {
            agent: { prompt: 'Which word is in notes.txt?' },
            pool: 'coder',
            workspace: 'worktree',
            outputs: { text: 'stdout' },
            timeout: '100s',
          },
        },
        outputs: { said: '${{ steps.say.outputs.text }}' },
      },
    )
    mkdirSync(join(place.home, '.gemini'))
    const settings = {
      model: { name: 'gemini-2.5-pro' },
      security: { auth: { selectedType: 'gemini-api-key' } },
      privacy: { usageStatisticsEnabled: false },
    }
    writeFileSync(join(place.home, '.gemini', 'settings.json'), JSON.stringify(settings))
    let offered: readonly string[] = []
    server.reset([
      {
        when: ({ body, tools }) => tools.some((tool) => tool.includes('read_text_file')) && !hasRead(body),
        times: 1,
        reply: ({ tools }) => {
          offered = tools
          return {
            tools: [{ name: tools.find((tool) => tool.includes('read_text_file'))!, input: { path: 'notes.txt' } }],
          }
        },
      },
      { when: ({ body }) => hasRead(body), reply: { text: 'It is heliotrope.' } },
      { reply: { text: 'I do not know.' } },
    ])
    const { told, code, stderr } = await orchestrate(place, {
      GEMINI_API_KEY: 'scripted',
      GOOGLE_GEMINI_BASE_URL: server.url,
      GEMINI_CLI_TRUST_WORKSPACE: 'true',
    })
    expect(code, `${stderr}\n${JSON.stringify(told.at(-1))}`).toBe(0)
    const { run } = told.at(-1) as { run: { id: string; outputs: { said: string } } }
    expect(run.outputs.said).toContain('It is heliotrope.')
    expect(offered.some((tool) => tool.includes('move_file') || tool.includes('write_multiple'))).toBe(false)
    const log = await runCli(['runs', 'logs', run.id], { cwd: place.repository, env: place.env })
    expect(log.stdout + log.stderr).toContain('tool files.read_text_file {"path":"notes.txt"}: allowed by policy')
  }, 180_000)
})

const geminiVariables = ['GEMINI_API_KEY', 'GOOGLE_GEMINI_BASE_URL', 'GEMINI_CLI_TRUST_WORKSPACE']

/** Whether the answer of the tool has come back to the model. */
const hasRead = (body: { contents: unknown }) => JSON.stringify(body.contents).includes('heliotrope')

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
