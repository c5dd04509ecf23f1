import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, describe, expect, test } from 'vitest'
import { createKeyEndpoint } from '../../src/contract.ts'
import { makeTenant, startApi } from '../support/api.ts'
import { openTestDatabase } from '../support/databases.ts'
import { bin, scratchFolder } from '../support/run-cli.ts'

const scratch = scratchFolder('mcp-stdio')
afterAll(() => scratch.remove())

async function start(
  more: Record<string, string> = {},
): Promise<{ readonly client: Client; readonly errors: () => string }> {
  const transport = new StdioClientTransport({
    ...{ command: process.execPath, args: [bin, 'mcp', 'serve'], cwd: scratch.path, stderr: 'pipe' },
    env: { PATH: process.env.PATH ?? '', HOME: scratch.path, ...more },
  })
  let errors = ''
  transport.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(transport, { timeout: 90_000 })
  return { client, errors: () => errors }
}

const call = async (client: Client, name: string, args: object = {}) =>
  (await client.callTool({ name, arguments: args as never }, { timeout: 90_000 })).structuredContent as Record<
    string,
    unknown
  >

describe('leanvibe mcp serve', () => {
  test('without a server: runs what it is told to run, and ends with its client', async () => {
    const workflow =
      'name: greet\ninputs: { who: { type: string } }\nsteps:\n  say:\n    command: [echo, "hello ${{ inputs.who }}"]\n    outputs: { text: stdout }\n'
    mkdirSync(join(scratch.path, 'workflows'))
    writeFileSync(join(scratch.path, 'workflows', 'greet.yaml'), workflow)
    writeFileSync(join(scratch.path, 'leanvibe.yaml'), 'agents: 1\n')
    const { client, errors } = await start()
    try {
      const { items } = await call(client, 'list_workflows')
      expect(JSON.stringify(items)).toContain('greet')
      const { id } = await call(client, 'start_run', { workflow: 'greet', inputs: { who: 'you' } })
      expect(await call(client, 'wait_run', { run: id })).toMatchObject({ run: { state: 'succeeded' } })
      expect(await call(client, 'read_outputs', { run: id })).toMatchObject({
        steps: { say: { outputs: { text: 'hello you' } } },
      })
    } finally {
      await client.close()
    }
    expect(errors()).toBe('')
  }, 150_000)

  test('for a server elsewhere, with a key of its own: each tool is allowed or refused there', async () => {
    const use = await openTestDatabase('pglite')
    const api = await startApi(use.db)
    try {
      const body = { name: 'reads', role: 'owner' as const, scopes: ['runs:read'] }
      const { key } = await api.owner.call(createKeyEndpoint, { body })
      await makeTenant(api, 'others')
      const { client } = await start({ LEANVIBE_URL: api.server.url, LEANVIBE_KEY: key })
      try {
        expect(await call(client, 'list_runs')).toMatchObject({ items: [] })
        expect(await call(client, 'start_run', { workflow: 'repo-checkup' })).toMatchObject({
          error: { code: 'forbidden' },
        })
        expect(await call(client, 'approve', { approval: 'x' })).toMatchObject({ error: { code: 'forbidden' } })
        expect(await call(client, 'show_run', { run: 'run_none' })).toMatchObject({ error: { code: 'run-not-found' } })
      } finally {
        await client.close()
      }
    } finally {
      await api.close()
      await use.close()
    }
  }, 120_000)
})
