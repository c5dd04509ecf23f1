import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import type { ToolServerSettings } from '../../../foundation/platform/config/tool-settings.ts'
import { aliveOf, systemProcessTable, unconfined } from '../../../foundation/platform/processes/index.ts'
import { SecretMasker } from '../../../foundation/platform/secrets/index.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import { agentSpec, RunnerKit } from '../../runners/runner-kit.fixture.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { createSessionContext } from '../sessions/session-context.ts'
import type { ToolGrants } from '../sessions/tool-grants.ts'
import { StdoutCapture } from '../stdout-capture.ts'
import { createServerSecrets } from './server-secrets.ts'
import { openToolHub } from './tool-hub.ts'

const peer = fileURLToPath(new URL('mcp-peer.fixture.ts', import.meta.url))
const agentSecret = 'agents-own-s3cret'
const serverSecret = 'servers-own-s3cret'
const rule = (name: 'allow' | 'ask' | 'off') => ({ rule: name, arguments: {} })

const settings: ToolServerSettings = {
  ...{ name: 'peer', argv: [process.execPath, '--no-warnings', peer], url: null, headers: {}, secret: null },
  ...{ env: ['SERVER_TOKEN'], usual: 'ask', callMs: 20_000, startMs: 30_000 },
  tools: {
    ...{ perform: rule('allow'), env: rule('allow'), big: rule('allow'), picture: rule('off') },
    add: { rule: 'allow', arguments: { a: '^[0-9]{1,3}$' } },
  },
}
const secrets = createServerSecrets({
  environmentOf: (names) => (names.includes('SERVER_TOKEN') ? { SERVER_TOKEN: serverSecret } : {}),
  read: async () => 'unused',
})

describe('tools that a pool grants', () => {
  let kit: RunnerKit
  const people = new ScriptedPeople()
  let open: ToolGrants[] = []
  let log = ''
  let count = 0

  beforeAll(() => {
    kit = new RunnerKit()
  })
  afterEach(async () => {
    for (const grants of open) await grants.close()
    open = []
    people.questions.length = 0
    people.answer = null
  })
  afterAll(() => kit.close())

  function grant(change: Partial<ToolServerSettings> = {}, others: readonly ToolServerSettings[] = []) {
    count += 1
    log = ''
    const folder = `${kit.folder}/${count}`
    mkdirSync(folder)
    const over = new AbortController()
    const assignment = {
      ...{ tenant: 'default', runId: 'run_1', taskId: `tsk_${count}`, step: 'work', fence: count, attempt: 1 },
      spec: agentSpec('x'),
    } as unknown as Assignment
    const notes: string[] = []
    const masker = new SecretMasker([agentSecret])
    const attempt = {
      ...{ masker, signal: over.signal, workdir: folder, outdir: folder, tempdir: folder, tree: null, config: {} },
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', AGENT_KEY: agentSecret },
      progress: (note?: string) => void (note === undefined || notes.push(note)),
      // As runners do.
      log: (_: unknown, chunk: Uint8Array) => {
        log += masker.text(Buffer.from(chunk).toString())
      },
    }
    const { context } = createSessionContext(
      assignment,
      attempt,
      people,
      new StdoutCapture(`${folder}/out`, 1_000, 1_000),
    )
    const grants = openToolHub({
      servers: [{ ...settings, ...change }, ...others],
      rules: { permissions: defaultPermissions, askMs: 500, silenceMs: null },
      processes: {
        supervisor: kit.supervisor,
        host: { bubblewrap: null, unshare: null, problem: 'not looked for' },
        rules: unconfined,
      },
      secrets,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    })(assignment, context)
    open.push(grants)
    const call = (tool: string, args: object = {}, server = 'peer') =>
      grants.call({ server, tool, arguments: args as never })
    return { grants, call, over, notes, marker: `tsk_${count}.${count}` }
  }

  it('are listed but for those that are off; a server that cannot be had has none', async () => {
    const missing = { ...settings, name: 'missing', argv: ['no-such-server'] }
    const { grants } = grant({}, [missing])
    expect(grants.servers).toEqual(['peer', 'missing'])
    const tools = await grants.list()
    expect(tools.map(({ qualified, permission }) => `${qualified} ${permission}`).sort()).toEqual(
      ['peer__add allow', 'peer__big allow', 'peer__env allow', 'peer__perform allow'].sort(),
    )
    expect(tools.find(({ name }) => name === 'add')).toMatchObject({
      description: 'Adds two numbers.',
      inputSchema: { required: ['a', 'b'] },
    })
    expect(log).toContain('the tools of missing cannot be had')
    expect(await grants.list('missing')).toEqual([])
  })

  it('are called where the pool allows it, and the log tells of each call', async () => {
    const { call } = grant()
    expect(await call('add', { a: 2, b: 3 })).toMatchObject({ text: '5', structured: { sum: 5 }, isError: false })
    expect(log).toContain('tool peer.add {"a":2,"b":3}: allowed by policy')
    expect(log).toMatch(/tool peer\.add: answered 1 characters after \d+ ms/)
    expect(people.questions).toEqual([])
  })

  it.each([
    ['picture', {}, 'peer', 'the pool does not allow picture'],
    ['nothing', {}, 'peer', 'has no tool nothing'],
    ['add', {}, 'other', 'no server other is granted'],
    ['add', { a: 1, b: 2, c: 3 }, 'peer', 'add has no argument c'],
    ['add', { a: 1_234, b: 2 }, 'peer', 'only where a matches'],
    ['__proto__', {}, 'peer', 'has no tool __proto__'],
  ] as const)('%s %j of %s is refused: it is not granted', async (tool, args, server, reason) => {
    const { call } = grant()
    const answer = await call(tool, args, server)
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining(`refused: `) })
    expect(answer.text).toContain(reason)
    expect(log).toContain('refused: ')
    expect(people.questions).toEqual([])
  })

  it('are asked for where the pool says so: yes, for good, no, and when nobody answers', async () => {
    const { call } = grant({ tools: { add: rule('ask'), env: rule('ask') } })
    const silent = await call('add', { a: 1, b: 1 })
    expect(silent).toMatchObject({ isError: true, text: 'refused: nobody answered in time' })
    people.answer = ({ choices }) => ({ choice: choices.find(({ meaning }) => meaning === 'reject-once')!.id })
    expect(await call('add', { a: 1, b: 1 })).toMatchObject({ isError: true })
    people.answer = ({ choices }) => ({ choice: choices.find(({ meaning }) => meaning === 'allow-always')!.id })
    expect((await call('add', { a: 1, b: 1 })).text).toBe('2')
    expect((await call('add', { a: 1, b: 2 })).text).toBe('3')
    expect(people.questions).toHaveLength(3)
    expect(people.questions[2]).toMatchObject({
      message: 'May it do this? call add of peer: {"a":1,"b":1}',
      details: { server: 'peer', tool: 'add', arguments: { a: 1, b: 1 } },
    })
    people.answer = null
    expect(await call('env', { name: 'PATH' }), 'another tool is another question').toMatchObject({ isError: true })
    expect(log).toContain('allowed by ada')
  })

  it('get nothing of the agent; what only they know is shown to nobody', async () => {
    const { call } = grant()
    expect((await call('env', { name: 'AGENT_KEY' })).text).toBe('AGENT_KEY=unset')
    const leaked = await call('env', { name: 'SERVER_TOKEN' })
    expect(leaked).toMatchObject({ text: 'SERVER_TOKEN=***', content: [{ type: 'text', text: 'SERVER_TOKEN=***' }] })
    const failed = await call('perform', { prompt: promptOf({ fail: `it is ${serverSecret} and ${agentSecret}` }) })
    expect(failed.isError).toBe(true)
    expect(failed.text).not.toContain(serverSecret)
    people.answer = () => ({ choice: null })
    const { call: asking } = grant({ tools: { env: rule('ask') } })
    await asking('env', { name: agentSecret })
    expect(JSON.stringify(people.questions)).not.toContain(agentSecret)
    expect(log).not.toContain(agentSecret)
    expect(log).not.toContain(serverSecret)
  })

  it('that hang are given up, and the next call is answered', async () => {
    const { call } = grant({ callMs: 800 })
    const answer = await call('perform', { prompt: promptOf({ hang: true }) })
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('did not answer within 0.8 s') })
    expect((await call('add', { a: 1, b: 1 })).text).toBe('2')
  })

  it.each([
    ['die in the middle of a call', { die: 7 }, 'exit code 7'],
    ['break the protocol', { garbage: true }, 'no message of the protocol'],
  ] as const)('that %s are started again, but not for ever', async (_, step, reason) => {
    const { call } = grant()
    const fail = () => call('perform', { prompt: promptOf(step) })
    expect(await fail()).toMatchObject({ isError: true, text: expect.stringContaining(reason) })
    expect((await call('add', { a: 1, b: 1 })).text).toBe('2')
    for (let more = 0; more < 3; more++) await fail()
    expect(await call('add', { a: 1, b: 1 })).toMatchObject({ isError: true, text: expect.stringContaining('4 times') })
  })

  it('that flood are bounded: their notices, and what they answer', async () => {
    const { call } = grant()
    const before = process.memoryUsage().rss
    const answer = await call('perform', { prompt: promptOf({ flood: 8_000 }) })
    expect(answer.text.length).toBeLessThan(1_100_000)
    expect(answer.text).toContain('[cut: the answer has')
    expect((await call('big', { bytes: 3_000_000 })).content).toHaveLength(1)
    expect(await call('big', { bytes: 40_000_000 })).toMatchObject({
      isError: true,
      text: expect.stringContaining('bytes'),
    })
    expect(log.length).toBeLessThan(16 * 1_048_576)
    expect(process.memoryUsage().rss - before).toBeLessThan(800 * 1_048_576)
  })

  it('end with the attempt, also in the middle of a call', async () => {
    const { grants, call, over, marker } = grant()
    const hanging = call('perform', { prompt: promptOf({ daemon: true }, { say: 'begun' }, { hang: true }) })
    hanging.catch(() => {})
    await expect.poll(() => log, { timeout: 20_000 }).toContain('begun')
    expect(aliveOf({ marker, main: null }, systemProcessTable()).length).toBeGreaterThan(0)
    over.abort(new Error('cancelled'))
    await expect(hanging).rejects.toThrow('cancelled')
    expect(await grants.close()).toBe(0)
    expect(aliveOf({ marker, main: null }, systemProcessTable())).toEqual([])
    expect(await grants.list().catch((error: Error) => error.message)).toBe('cancelled')
  })

  it('of a server that is still starting end at once', async () => {
    const { grants, marker } = grant({ argv: [process.execPath, '--no-warnings', peer, 'mute'] })
    const listing = grants.list()
    await expect
      .poll(() => aliveOf({ marker, main: null }, systemProcessTable()).length, { timeout: 20_000 })
      .toBeGreaterThan(0)
    const from = performance.now()
    expect(await grants.close()).toBe(0)
    expect(performance.now() - from).toBeLessThan(25_000)
    expect(await listing).toEqual([])
    expect(aliveOf({ marker, main: null }, systemProcessTable())).toEqual([])
  })
})
