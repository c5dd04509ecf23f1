import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { documentsOf, runCli, scratchFolder, startCli } from './support/run-cli.ts'

const scratch = scratchFolder('access-cli')
afterAll(() => scratch.remove())
const place = { cwd: scratch.path }

/** A server that says it listens. */
async function serve(...args: string[]) {
  const cli = startCli(['serve', '--json', ...args], { ...place, timeoutMs: 110_000 })
  while (!cli.stdout().includes('\n')) {
    await Promise.race([
      once(cli.child.stdout!, 'data'),
      cli.ended.then((end) => Promise.reject(new Error(end.stderr))),
    ])
  }
  const [first] = documentsOf(cli.stdout())
  return {
    ...(first as { url: string; localUrl: string; adminKey?: string }),
    async stop() {
      cli.child.kill('SIGTERM')
      return cli.ended
    },
  }
}

const documents = async (...args: string[]) => {
  const { code, stdout, stderr } = await runCli([...args, '--json'], place)
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  return documentsOf(stdout)
}

describe('the command line', () => {
  test('shows a key at the very first start, and rules keys, members and tenants without one', {
    timeout: 300_000,
  }, async () => {
    const server = await serve()
    expect(server.adminKey).toMatch(/^lvk_/)
    const who = await fetch(`${server.url}/api/v1/whoami`, { headers: { authorization: `Bearer ${server.adminKey}` } })
    expect(await who.json()).toMatchObject({ id: 'key_first', tenant: 'default' })
    const [made] = await documents(
      'keys',
      'create',
      'ci',
      '--role',
      'operator',
      '--scope',
      'runs:*',
      '--scope',
      'self:read',
      '--expires',
      '1d',
    )
    expect(made).toMatchObject({ role: 'operator', scopes: ['runs:*', 'self:read'] })
    const ask = (path: string) =>
      fetch(server.url + path, { headers: { 'x-api-key': String(made!.key) } }).then(({ status }) => status)
    expect([await ask('/api/v1/runs'), await ask('/api/v1/agents')]).toEqual([200, 403])
    const [next] = await documents('keys', 'rotate', String(made!.id), '--overlap', '1h')
    expect(next).toMatchObject({ rotatedFrom: made!.id })
    await documents('keys', 'revoke', String(made!.id))
    expect(await ask('/api/v1/runs')).toBe(401)
    const states = (await documents('keys', 'list')).map(({ id, state }) => [id, state])
    expect(states).toContainEqual([made!.id, 'revoked'])
    const parts = (await documents('external-api'))[0]!.parts as { name: string }[]
    expect(parts.map(({ name }) => name)).toContain('webhook')
    expect((await documents('external-api', '--api-command', 'stop-all'))[0]).toMatchObject({ server: server.localUrl })
    await documents('external-api', '--api-command', 'start-all')
    const end = await server.stop()
    expect(end.code).toBe(0)
    const last = documentsOf(end.stdout).at(-1)
    expect(last).toMatchObject({ type: 'ended', begun: last!.answered })
    expect(await readFile(join(scratch.path, '.leanvibe', 'token'), 'utf8')).toMatch(/^lvt_/)
    const again = await serve('--host', '0.0.0.0', '--plaintext')
    expect(again.adminKey).toBeUndefined()
    expect(again.url).toMatch(/^http:\/\/0\.0\.0\.0:/)
    expect(again.localUrl).toMatch(/^http:\/\/127\.0\.0\.1:/)
    const [tenant] = await documents('tenants', 'create', 'acme', '--name', 'Acme')
    expect(tenant).toMatchObject({ tenant: { id: 'acme', state: 'active' }, ownerKey: { role: 'owner' } })
    const [member] = await documents('members', 'add', 'Ann', '--role', 'owner', '--tenant', 'acme')
    const removal = await runCli(['members', 'remove', String(member!.id), '--tenant', 'acme'], place)
    expect(removal.stderr).toContain('last owner')
    expect(await documents('members', 'list', '--tenant', 'acme')).toMatchObject([{ id: member!.id, name: 'Ann' }])
    expect(await documents('members', 'list')).toEqual([])
    expect(await documents('tenants', 'suspend', 'acme', '--reason', 'unpaid')).toMatchObject([{ state: 'suspended' }])
    expect(await documents('tenants', 'resume', 'acme')).toMatchObject([{ state: 'active' }])
    await again.stop()
    // Without a server the call itself is the platform, and stays until nothing is left.
    expect((await runCli(['tenants', 'delete', 'acme'], place)).code).toBe(2)
    expect(await documents('tenants', 'delete', 'acme', '--yes')).toMatchObject([{ state: 'deleted' }])
  })

  test('refuses an address for others, unless it is meant', async () => {
    const refused = await runCli(['serve', '--host', '0.0.0.0'], place)
    expect([refused.code, refused.stderr]).toEqual([65, expect.stringContaining('--plaintext')])
  })
})
