import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { ModelServer } from '../support/model-server/index.ts'
import { documentsOf, runCli, scratchFolder } from '../support/run-cli.ts'
import { peersThere, preparePeers, preparePeersMs } from './peers.ts'

// Real coding agents from npm, driven through the whole program: edit, test, gate, merge. Their models are scripted.

const programs = fileURLToPath(new URL('node_modules/.bin', import.meta.url))

const files = {
  'package.json': `${JSON.stringify({ name: 'sums', private: true, scripts: { test: 'node check.js' } })}\n`,
  'sum.js': 'module.exports = (a, b) => a - b\n',
  'check.js': "if (require('./sum.js')(2, 3) !== 5) { console.error('2 + 3 is not 5'); process.exit(1) }\n",
}
const fixed = 'module.exports = (a, b) => a + b\n'

const flow = `name: fix
inputs:
  task: { type: string }
steps:
  implement:
    agent: { prompt: "\${{ inputs.task }}" }
    pool: coder
    workspace: worktree
    timeout: 100s
    outputs: { said: stdout }
  quality:
    needs: implement
    base: \${{ steps.implement.outputs.commit }}
    gate: { checks: [tests, { check: security, onFail: block }, size] }
  merge:
    needs: quality
    merge: { commit: "\${{ steps.implement.outputs.commit }}", checks: [tests] }
outputs:
  said: \${{ steps.implement.outputs.said }}
  merged: \${{ steps.merge.outputs.merged }}
`

interface Peer {
  readonly command: readonly string[]
  readonly env: (server: ModelServer, home: string) => Record<string, string>
}

const asksForWork = (said: string) => said.includes('Correct sum.js')

const peers: Readonly<Record<string, Peer>> = {
  gemini: {
    command: ['gemini', '--acp'],
    env: (server, home) => {
      mkdirSync(join(home, '.gemini'), { recursive: true })
      const settings = {
        model: { name: 'gemini-2.5-pro' },
        security: { auth: { selectedType: 'gemini-api-key' } },
        privacy: { usageStatisticsEnabled: false },
      }
      writeFileSync(join(home, '.gemini', 'settings.json'), JSON.stringify(settings))
      return { GEMINI_API_KEY: 'scripted', GOOGLE_GEMINI_BASE_URL: server.url, GEMINI_CLI_TRUST_WORKSPACE: 'true' }
    },
  },
  opencode: {
    command: ['opencode', 'acp'],
    env: (server, home) => {
      const config = {
        model: 'anthropic/claude-sonnet-4-5',
        small_model: 'anthropic/claude-sonnet-4-5',
        autoupdate: false,
        share: 'disabled',
        provider: { anthropic: { options: { baseURL: `${server.url}/v1`, apiKey: 'scripted' } } },
      }
      writeFileSync(join(home, 'opencode.json'), JSON.stringify(config))
      return {
        OPENCODE_CONFIG: join(home, 'opencode.json'),
        OPENCODE_DISABLE_MODELS_FETCH: 'true',
        OPENCODE_DISABLE_AUTOUPDATE: 'true',
        OPENCODE_DISABLE_LSP_DOWNLOAD: 'true',
      }
    },
  },
}

describe.skipIf(!peersThere)('a real coding agent', () => {
  let server: ModelServer
  beforeAll(preparePeers, preparePeersMs)
  beforeAll(async () => {
    server = await ModelServer.start()
  })
  const scratches: ReturnType<typeof scratchFolder>[] = []
  afterEach(() => server.reset())
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    for (const scratch of scratches) await scratch.remove()
  })

  test.each(Object.keys(peers))(
    '%s corrects a file; the tests pass, and main has it',
    async (name) => {
      const peer = peers[name]!
      const scratch = scratchFolder(`peer-${name}`)
      scratches.push(scratch)
      const home = join(scratch.path, 'home')
      const repository = join(scratch.path, 'repository')
      mkdirSync(home)
      makeRepository(repository, files)
      const env = { HOME: home, PATH: `${programs}${delimiter}${process.env.PATH}`, ...peer.env(server, home) }
      const pool = {
        kind: 'acp',
        command: peer.command,
        env: Object.keys(env).filter((variable) => variable !== 'PATH'),
        permissions: { execute: 'off', other: 'off' },
        confine: { write: ['~'] },
      }
      writeFileSync(
        join(repository, 'leanvibe.yaml'),
        JSON.stringify({ data: join(scratch.path, 'data'), pools: { coder: pool } }),
      )
      writeFileSync(join(repository, 'fix.yaml'), flow)
      server.reset([
        {
          when: ({ texts, tools }) =>
            tools.length > 0 && texts.some(asksForWork) && !texts.some((text) => text.includes('a + b')),
          times: 1,
          reply: (request) => ({
            tools: [{ name: request.tools.find((tool) => /^write/.test(tool))!, input: writeInput(request.texts) }],
          }),
        },
        { reply: { text: 'I have corrected sum.js.' } },
      ])
      const run = await runCli(
        ['orchestrate', 'fix.yaml', '--repo', '.', '--json', '--input', 'task=Correct sum.js: it must add. Then stop.'],
        { cwd: repository, env, timeoutMs: 170_000 },
      )
      const told = documentsOf(run.stdout)
      expect(run.code, `${run.stderr}\n${JSON.stringify(told.at(-1))}`).toBe(0)
      expect(told.at(-1)).toMatchObject({ run: { outputs: { merged: true, said: 'I have corrected sum.js.' } } })
      expect(rawGit(repository, 'show', 'main:sum.js')).toBe(fixed.trim())
    },
    180_000,
  )
})

function writeInput(texts: readonly string[]): object {
  const folder = /[^\s"'<>]*\/workspaces\/[\w.-]+\/[\w-]+(?:\.[\w-]+)*/.exec(texts.join('\n'))?.[0] ?? '.'
  const path = join(folder, 'sum.js')
  return { file_path: path, filePath: path, content: fixed }
}
