import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { ModelServer } from '../support/model-server/index.ts'
import { documentsOf, runCli, scratchFolder } from '../support/run-cli.ts'
import { codingPeers, peerEnv, peerPool, writeCall } from './coding-peers.ts'
import { peersThere, preparePeers, preparePeersMs } from './peers.ts'

// Real coding agents from npm, driven through the whole program: edit, test, gate, merge. Their models are scripted.

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

const asksForWork = (said: string) => said.includes('Correct sum.js')

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

  test.each(Object.keys(codingPeers) as (keyof typeof codingPeers)[])(
    '%s corrects a file; the tests pass, and main has it',
    async (name) => {
      const peer = codingPeers[name]
      const scratch = scratchFolder(`peer-${name}`)
      scratches.push(scratch)
      const home = join(scratch.path, 'home')
      const repository = join(scratch.path, 'repository')
      mkdirSync(home)
      makeRepository(repository, files)
      const own = peer.env(server, home)
      const env = peerEnv(home, own)
      const pool = peerPool(peer, own)
      writeFileSync(
        join(repository, 'leanvibe.yaml'),
        JSON.stringify({ data: join(scratch.path, 'data'), pools: { coder: pool } }),
      )
      writeFileSync(join(repository, 'fix.yaml'), flow)
      server.reset([
        {
          // Asked until it is seen to have been done: an agent may ask beside, or again after a connection that broke.
          when: ({ texts, tools }) =>
            tools.length > 0 && texts.some(asksForWork) && !texts.some((text) => text.includes('a + b')),
          reply: ({ tools, texts }) => ({ tools: [writeCall(tools, texts, 'sum.js', fixed)] }),
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
