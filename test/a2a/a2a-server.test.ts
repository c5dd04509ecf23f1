import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { AgentCard, type Message, Role, type StreamResponse, type Task, TaskState } from '@a2a-js/sdk'
import { type Client, ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createKeyEndpoint, listRuns, type Publish, publishAgent, showRun, startRun } from '../../src/contract.ts'
import { type IdSource, systemIds } from '../../src/foundation/kernel/ids.ts'
import { makeTenant, startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { documentsOf, runCli, scratchFolder } from '../support/run-cli.ts'

const workflows = {
  greet: {
    name: 'greet',
    description: 'Says hello.',
    inputs: { task: { type: 'string' }, tone: { type: 'string', default: 'kind' } },
    steps: { say: { command: ['echo', '${{ inputs.tone }}: ${{ inputs.task }}'], outputs: { text: 'stdout' } } },
    outputs: { text: '${{ steps.say.outputs.text }}', tone: '${{ inputs.tone }}' },
  },
  sure: {
    name: 'sure',
    inputs: { task: { type: 'string' } },
    steps: {
      ask: { approval: { message: 'Shall it be done?' } },
      done: { needs: ['ask'], command: ['echo', 'done'], outputs: { text: 'stdout' } },
    },
    outputs: { text: '${{ steps.done.outputs.text }}' },
  },
  slow: { name: 'slow', inputs: { task: { type: 'string' } }, steps: { wait: { command: ['sleep', '60'] } } },
  broken: { name: 'broken', inputs: { task: { type: 'string' } }, steps: { no: { command: ['false'] } } },
}

describe('our agents over A2A, as the official client sees them', () => {
  let use: TestDatabase
  let api: TestApi
  let key: string
  const scratch = scratchFolder('a2a')
  const received: { headers: Record<string, unknown>; body: { task?: { id: string; status: { state: string } } } }[] =
    []
  let refuse = 0
  const receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (refuse > 0) {
      refuse -= 1
      response.statusCode = 503
    } else received.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) })
    response.end()
  })

  beforeAll(async () => {
    use = await openTestDatabase('pglite')
    await mkdir(join(scratch.path, 'workflows'))
    for (const [name, definition] of Object.entries(workflows)) {
      await writeFile(join(scratch.path, 'workflows', `${name}.yaml`), JSON.stringify(definition))
    }
    const offer = Object.fromEntries(Object.keys(workflows).map((name) => [name, { workflow: name }]))
    const yaml = {
      rateLimits: { ip: 'none', failures: 'none', key: 'none', tenant: 'none', route: 'none' },
      workflows: join(scratch.path, 'workflows'),
      pools: { echo: { command: ['cat'] } },
      a2a: { allow: ['127.0.0.1/32'], offer: { echo: { pool: 'echo', capabilities: ['text'] }, ...offer } },
    }
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    api = await startApi(use.db, { work: true, yaml: JSON.stringify(yaml) })
    key = (await api.owner.call(createKeyEndpoint, { body: { name: 'a2a', role: 'operator' } })).key
  }, 120_000)
  afterAll(async () => {
    await api.close()
    await use.close()
    receiver.close()
    await scratch.remove()
  })

  const receiverUrl = () => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
  function clientOf(agent: string, token: string | null = key): Promise<Client> {
    const fetchImpl: typeof fetch = (input, init) => {
      const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
      return fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...authorization } })
    }
    const factory = new ClientFactory({
      transports: [new JsonRpcTransportFactory({ fetchImpl })],
      cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
    })
    return factory.createFromUrl(`${api.server.localUrl}/a2a/${agent}/.well-known/agent-card.json`, '')
  }
  const ids: IdSource = systemIds
  function message(text: string, more: Partial<Message> = {}, data?: object): Message {
    const part = { metadata: undefined, filename: '', mediaType: '' }
    return {
      ...{ messageId: ids.next('msg'), contextId: '', taskId: '', role: Role.ROLE_USER, metadata: undefined },
      ...{ extensions: [], referenceTaskIds: [] },
      parts: [
        { content: { $case: 'text', value: text }, ...part },
        ...(data === undefined ? [] : [{ content: { $case: 'data' as const, value: data }, ...part }]),
      ],
      ...more,
    }
  }
  const request = (what: Message, configuration: object = {}) => ({
    ...{ tenant: '', message: what, metadata: undefined },
    configuration: {
      ...{ acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: false },
      ...configuration,
    },
  })
  const send = async (client: Client, what: Message, configuration: object = {}) =>
    (await client.sendMessage(request(what, configuration))) as Task
  const textOf = (task: Task) =>
    task.artifacts
      .flatMap(({ parts }) => parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')))
      .join('')

  it('has a card for each, and one at the usual place; more is told to those who may come in', async () => {
    const first = await fetch(`${api.server.localUrl}/.well-known/agent-card.json`)
    expect(await first.json()).toMatchObject({
      name: 'echo',
      supportedInterfaces: [
        { url: `${api.server.localUrl}/a2a/echo`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
      ],
      skills: [{ id: 'echo', tags: ['text'] }],
    })
    const client = await clientOf('greet')
    const extended = await client.getAgentCard()
    expect(extended.description).toContain('Says hello.')
    expect(extended.description).toContain('"tone"')
    expect((await fetch(`${api.server.localUrl}/a2a/nobody/.well-known/agent-card.json`)).status).toBe(404)
  })

  it('speaks for what is published in the registry of a tenant, to that tenant alone', async () => {
    const publish = (name: string, body: object) =>
      api.owner.call(publishAgent, { params: { name }, body: body as Publish })
    await publish('hello', { kind: 'workflow', target: 'greet', title: 'Hello', capabilities: ['greetings'] })
    const other = await makeTenant(api, 'a2a-registry')
    const call = (path: string, token: string, init: RequestInit = {}) =>
      fetch(`${api.server.localUrl}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'a2a-version': '1.0' },
      })
    const card = (await (await call('/api/v1/registry/hello/agent-card', key)).json()) as object
    expect(card).toMatchObject({
      name: 'Hello',
      supportedInterfaces: [{ url: `${api.server.localUrl}/a2a/hello` }],
      skills: [{ tags: ['greetings'] }],
    })
    const fetchImpl: typeof fetch = (input, init) =>
      fetch(input, {
        ...init,
        headers: { ...Object.fromEntries(new Headers(init?.headers)), authorization: `Bearer ${key}` },
      })
    const factory = new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl })] })
    const task = await send(await factory.createFromAgentCard(AgentCard.fromJSON(card)), message('world'))
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
    expect(textOf(task)).toContain('kind: world')
    // Nobody else sees it, neither without a key nor with that of another tenant.
    expect((await fetch(`${api.server.localUrl}/a2a/hello/.well-known/agent-card.json`)).status).toBe(404)
    expect((await call('/a2a/hello', other.key, { method: 'POST', body: '{}' })).status).toBe(404)
    expect((await call('/api/v1/registry/hello/agent-card', other.key)).status).toBe(404)
    // What the configuration offers keeps its name.
    await publish('echo', { kind: 'workflow', target: 'broken' })
    expect(textOf(await send(await clientOf('echo'), message('still me')))).toContain('still me')
  })

  it('lets nobody in without a key, and nobody write who may only look', async () => {
    await expect((await clientOf('echo', null)).sendMessage(request(message('x')))).rejects.toThrow('401')
    const viewer = await api.owner.call(createKeyEndpoint, { body: { name: 'v', role: 'viewer' } })
    await expect((await clientOf('echo', viewer.key)).sendMessage(request(message('x')))).rejects.toThrow('runs:write')
  })

  it('gives a message to an agent of a pool, and its answer back', async () => {
    const task = await send(await clientOf('echo'), message('hello there'))
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
    expect(textOf(task)).toBe('hello there')
    expect(task.history.map(({ role }) => role)).toEqual([Role.ROLE_USER])
    const { run } = await api.owner.call(showRun, { params: { id: task.id } })
    expect(run).toMatchObject({ id: task.id, state: 'succeeded', labels: { 'a2a.agent': 'echo' } })
  })

  it('what looks like an expression is text', async () => {
    const task = await send(await clientOf('echo'), message('${{ secrets.KEY }} {prompt}'))
    expect(textOf(task)).toBe('${{ secrets.KEY }} {prompt}')
  })

  it('a message that comes again is the same task', async () => {
    const client = await clientOf('echo')
    const what = message('once')
    const tasks = await Promise.all(Array.from({ length: 5 }, () => send(client, what)))
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(1)
    const runs = await api.owner.call(listRuns, { query: { workflow: 'a2a-echo', limit: 100 } as never })
    expect(runs.items.filter(({ id }) => id === tasks[0]!.id)).toHaveLength(1)
  })

  it('streams what happens, and the values at the end', async () => {
    const client = await clientOf('greet')
    const events: StreamResponse[] = []
    for await (const event of client.sendMessageStream(request(message('Ada', {}, { tone: 'grand' }))))
      events.push(event)
    const cases = events.map(({ payload }) => payload?.$case)
    expect(cases[0]).toBe('task')
    expect(cases.at(-1)).toBe('statusUpdate')
    expect(cases).toContain('artifactUpdate')
    const last = events.at(-1)!.payload
    expect(last?.$case === 'statusUpdate' && last.value.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
    const artifact = events.find(({ payload }) => payload?.$case === 'artifactUpdate')!.payload
    const parts = artifact?.$case === 'artifactUpdate' ? artifact.value.artifact!.parts : []
    expect(parts.map(({ content }) => content?.value)).toEqual(['grand: Ada', { text: 'grand: Ada', tone: 'grand' }])
  })

  it('a question of the run waits for an answer of the caller, and heeds it', async () => {
    const client = await clientOf('sure')
    const asked = await send(client, message('go'))
    expect(asked.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
    expect(JSON.stringify(asked.status?.message)).toContain('Shall it be done?')
    await expect(send(client, message('perhaps', { taskId: asked.id }))).rejects.toThrow('approve or reject')
    const answer = message('approve', { taskId: asked.id, contextId: asked.contextId })
    const done = await send(client, answer)
    expect(done.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
    expect(textOf(done)).toBe('done')
    expect(done.history).toHaveLength(2)
    // The same answer again changes nothing; another one has nothing to answer.
    expect((await send(client, answer)).id).toBe(asked.id)
    await expect(send(client, message('more', { taskId: asked.id }))).rejects.toThrow('has ended')
  })

  it('tells how a run failed', async () => {
    const task = await send(await clientOf('broken'), message('x'))
    expect(task.status?.state).toBe(TaskState.TASK_STATE_FAILED)
    expect(JSON.stringify(task.status?.message)).toContain('exit code 1')
  })

  it('can be cancelled, looked at, listed, and listened to again', async () => {
    const client = await clientOf('slow')
    const task = await send(client, message('x', { contextId: 'ctx-1' }), { returnImmediately: true })
    expect(task).toMatchObject({ contextId: 'ctx-1', artifacts: [] })
    const heard: (TaskState | undefined)[] = []
    const listening = (async () => {
      for await (const { payload } of client.resubscribeTask({ tenant: '', id: task.id })) {
        if (payload?.$case === 'task') heard.push(payload.value.status?.state)
        if (payload?.$case === 'statusUpdate') heard.push(payload.value.status?.state)
      }
    })()
    await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThan(0)
    await client.cancelTask({ tenant: '', id: task.id, metadata: undefined })
    await listening
    expect(heard.at(-1)).toBe(TaskState.TASK_STATE_CANCELED)
    await expect(client.cancelTask({ tenant: '', id: task.id, metadata: undefined })).rejects.toThrow('has ended')
    const listed = await client.listTasks({
      ...{ tenant: '', contextId: 'ctx-1', status: TaskState.TASK_STATE_UNSPECIFIED, pageToken: '' },
      statusTimestampAfter: undefined,
    })
    expect(listed.tasks.map(({ id }) => id)).toEqual([task.id])
  })

  it('tells where it was told to, with what it was given, until it is heard', async () => {
    received.length = 0
    refuse = 1
    const config = {
      ...{ tenant: '', id: '', taskId: '', url: receiverUrl(), token: 'tok' },
      authentication: { scheme: 'Bearer', credentials: 'cr3dentials' },
    }
    const client = await clientOf('sure')
    const task = await send(client, message('x'), { returnImmediately: true, taskPushNotificationConfig: config })
    const { configs } = await client.listTaskPushNotificationConfig({
      ...{ tenant: '', taskId: task.id, pageSize: 0, pageToken: '' },
    })
    expect(configs).toMatchObject([{ url: receiverUrl(), token: 'tok', taskId: task.id }])
    const states = () => received.map(({ body }) => body.task?.status.state)
    await expect.poll(states, { timeout: 25_000 }).toContain('TASK_STATE_INPUT_REQUIRED')
    expect(received[0]!.headers.authorization).toBe('Bearer cr3dentials')
    const rows = await use.owner<{ sealed: string }>('select c::text as sealed from a2a_push_configs c')
    expect(JSON.stringify(rows)).not.toContain('cr3dentials')
    await client.deleteTaskPushNotificationConfig({ tenant: '', taskId: task.id, id: configs[0]!.id })
    await client.cancelTask({ tenant: '', id: task.id, metadata: undefined })
  })

  it.each(['http://169.254.169.254/', 'http://example.org/', 'https://10.0.0.1/'])(
    'tells nobody at %s',
    async (url) => {
      const config = { tenant: '', id: '', taskId: '', url, token: '', authentication: undefined }
      const sent = send(await clientOf('echo'), message('x'), { taskPushNotificationConfig: config })
      await expect(sent).rejects.toThrow('a2a-push-url-refused')
    },
  )

  it('tenants see nothing of each other', async () => {
    const task = await send(await clientOf('echo'), message('mine'))
    const other = await makeTenant(api, 'other-a2a')
    const stranger = await clientOf('echo', other.key)
    await expect(stranger.getTask({ tenant: '', id: task.id })).rejects.toThrow('there is no task')
    await expect(stranger.cancelTask({ tenant: '', id: task.id, metadata: undefined })).rejects.toThrow('no task')
    await expect(stranger.sendMessage({ ...request(message('x')), tenant: 'default' })).rejects.toThrow(
      'not one of this',
    )
    // Another agent of the same tenant has not got it, either.
    await expect((await clientOf('greet')).getTask({ tenant: '', id: task.id })).rejects.toThrow('there is no task')
  })

  it.each([
    ['{', -32_700],
    ['{}', -32_600],
    [JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'Dance', params: {} }), -32_601],
    [JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'SendMessage', params: {} }), -32_602],
    [JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'GetTask', params: { id: 'none' } }), -32_001],
    ['[]', -32_600],
  ])('%s is answered with an error of the protocol', async (body, code) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'a2a-version': '1.0' }
    const answer = await fetch(`${api.server.localUrl}/a2a/echo`, { method: 'POST', headers, body })
    const { error } = (await answer.json()) as { error: { code: number } }
    expect([code, -32_600, -32_602]).toContain(error.code)
    if (code > -32_100) expect(error.code).toBe(code)
  })

  it('who speaks another version is told so', async () => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'GetTask', params: { id: 'x' } })
    const answer = await fetch(`${api.server.localUrl}/a2a/echo`, { method: 'POST', headers, body })
    expect(await answer.json()).toMatchObject({ error: { code: -32_009 } })
  })

  it('a fleet is an agent of another: with notifications, questions, and the answer of the other', async () => {
    const there = await openTestDatabase('pglite')
    await writeFile(join(scratch.path, 'key'), key)
    const yaml = {
      rateLimits: { ip: 'none', failures: 'none', key: 'none', tenant: 'none', route: 'none' },
      secrets: { FLEET: { file: join(scratch.path, 'key') } },
      a2a: { allow: ['127.0.0.1/32'] },
      pools: {
        far: {
          kind: 'a2a',
          a2a: {
            card: `${api.server.localUrl}/a2a/greet/.well-known/agent-card.json`,
            ...{ auth: { bearer: 'FLEET' }, push: true, streaming: 'off' },
          },
        },
      },
    }
    const fleet = await startApi(there.db, { work: true, yaml: JSON.stringify(yaml) })
    try {
      const text = JSON.stringify({
        name: 'far',
        steps: { ask: { agent: { prompt: 'Grace' }, pool: 'far', outputs: { text: 'stdout' } } },
        outputs: { text: '${{ steps.ask.outputs.text }}' },
      })
      const run = await fleet.owner.call(startRun, { body: { source: { text, fileName: 'far.yaml' } } as never })
      const ended = async () => (await fleet.owner.call(showRun, { params: { id: run.id } })).run
      await expect.poll(async () => (await ended()).state, { timeout: 60_000 }).toMatch(/succeeded|failed/)
      expect(await ended()).toMatchObject({ state: 'succeeded', outputs: { text: 'kind: Grace' } })
      // A notification that is forged is refused; what was sent to an attempt that has ended is late.
      const push = `${fleet.server.localUrl}/a2a/notifications`
      const forged = await fetch(push, { method: 'POST', headers: { authorization: 'Bearer a.b.c' }, body: '{}' })
      expect(forged.status).toBe(401)
      expect(fleet.errors).toEqual([])
    } finally {
      await fleet.close()
      await there.close()
    }
  })

  it('leanvibe agents add a2a reads a card, and writes a pool of what it can do', async () => {
    const project = scratchFolder('add-a2a')
    const file = join(project.path, 'leanvibe.yaml')
    const card = `${api.server.localUrl}/a2a/echo/.well-known/agent-card.json`
    await writeFile(file, '# ours\n')
    const add = (...more: string[]) => runCli(['agents', 'add', 'a2a', card, '--json', ...more], { cwd: project.path })
    const refused = await add()
    expect(refused.code).not.toBe(0)
    expect(refused.stdout + refused.stderr).toContain('a2a-url-refused')
    await writeFile(file, '# ours\na2a: { allow: [127.0.0.1/32] }\n')
    const added = await add('--secret', 'FLEET')
    expect(added).toMatchObject({ code: 0 })
    expect(documentsOf(added.stdout)[0]).toMatchObject({ pool: 'echo', capabilities: ['echo', 'text'] })
    expect(parse(await readFile(file, 'utf8'))).toMatchObject({
      pools: { echo: { kind: 'a2a', a2a: { card, auth: { bearer: 'FLEET' } } } },
    })
    await project.remove()
  })

  it('has reported no failure of its own', () => {
    expect(api.errors).toEqual([])
  })
})
