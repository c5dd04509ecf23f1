import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { seededRandom } from '../../../foundation/kernel/random.ts'
import { thisProcess } from '../container/container-labels.ts'
import { KubeClient } from './kube-client.ts'
import { readKubeAccess } from './kube-config.ts'
import { createObject, deleteObject, nonceAnnotation } from './kube-objects.ts'
import { KubeServer } from './kube-server.fixture.ts'
import type { Stored } from './kube-store.fixture.ts'
import type { Pod } from './kube-types.ts'
import { instanceOf } from './kubernetes-labels.ts'
import { PodTracker } from './pod-tracker.ts'
import { findLeftObjects, removeLeftObjects } from './sweep-kubernetes.ts'

const pods = '/api/v1/namespaces/agents/pods'
const secrets = '/api/v1/namespaces/agents/secrets'
let server: KubeServer
let client: KubeClient
let over: AbortController

beforeEach(async () => {
  server = await new KubeServer().start()
  client = new KubeClient({ access: server.access, random: seededRandom(1) })
  over = new AbortController()
})
afterEach(async () => {
  over.abort()
  await client.close()
  await server.close()
})

const named = (name: string, more: Partial<Stored['metadata']> = {}) => ({ metadata: { name, ...more } }) as Stored
const calls = (what: string) => server.calls.filter((call) => call === what).length

it.each([
  [{ status: 429, headers: { 'retry-after': '1' } }, 2],
  [{ status: 503 }, 2],
] as const)('%j is waited for', async (fault, expected) => {
  server.faults.push({ path: /secrets$/, ...fault, times: 1 })
  const from = performance.now()
  await client.list(secrets, {}, over.signal)
  expect(calls(`GET ${secrets}`)).toBe(expected)
  if ('headers' in fault) expect(performance.now() - from).toBeGreaterThan(900)
})

it('gives up in the end, and tells what was said', async () => {
  const hasty = new KubeClient({ access: server.access, tries: 2, random: seededRandom(1) })
  server.faults.push({ path: /secrets$/, status: 500, times: 9 })
  await expect(hasty.list(secrets, {}, over.signal)).rejects.toMatchObject({ code: 'kube-unreachable', retry: 'later' })
  await hasty.close()
})

it('who may not is not asked again', async () => {
  const access = { ...server.access, token: async () => 'another' }
  const stranger = new KubeClient({ access })
  await expect(stranger.list(secrets, {}, over.signal)).rejects.toMatchObject({ code: 'kube-refused', retry: 'never' })
  expect(calls(`GET ${secrets}`)).toBe(1)
  await stranger.close()
})

it('a server whose certificate is another’s is not talked to', async () => {
  const access = { ...server.access, ca: undefined }
  const careful = new KubeClient({ access, tries: 1 })
  await expect(careful.list(secrets, {}, over.signal)).rejects.toMatchObject({ code: 'kube-unreachable' })
  expect(server.calls).toEqual([])
  await careful.close()
})

it('lists come in pages', async () => {
  for (let n = 0; n < 7; n++) server.store.create(secrets, named(`s${n}`))
  const { items } = await client.list(secrets, { limit: 3 }, over.signal)
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['s0', 's1', 's2', 's3', 's4', 's5', 's6'])
  expect(calls(`GET ${secrets}`)).toBe(3)
})

it('an object whose answer was lost is ours; a leftover of its name is replaced', async () => {
  const mine = named('one', { annotations: { [nonceAnnotation]: 'a' } })
  server.faults.push({ method: 'POST', path: /secrets$/, status: 500, after: true, times: 1 })
  const made = await createObject(client, secrets, mine, over.signal)
  expect(made.metadata.annotations).toEqual({ [nonceAnnotation]: 'a' })
  const other = named('one', { annotations: { [nonceAnnotation]: 'b' } })
  const again = await createObject(client, secrets, other, over.signal)
  expect(again.metadata.annotations).toEqual({ [nonceAnnotation]: 'b' })
  await deleteObject(client, `${secrets}/one`, null, over.signal)
  await deleteObject(client, `${secrets}/one`, null, over.signal)
  expect(server.store.all()).toEqual([])
})

it('a watch goes on after a break, and after its place was forgotten tells what has gone meanwhile', async () => {
  const seen: string[] = []
  const watching = (async () => {
    for await (const { type, object } of client.watch(secrets, {}, over.signal))
      seen.push(`${type} ${object.metadata.name}`)
  })()
  server.store.create(secrets, named('a'))
  await expect.poll(() => seen, { timeout: 10_000 }).toContain('present a')
  server.dropWatches()
  server.store.create(secrets, named('b'))
  await expect.poll(() => seen, { timeout: 10_000 }).toContain('present b')
  server.dropWatches()
  server.store.delete(secrets, 'a')
  server.store.create(secrets, named('c'))
  server.compact()
  await expect.poll(() => seen, { timeout: 10_000 }).toContain('gone a')
  await expect.poll(() => seen, { timeout: 10_000 }).toContain('present c')
  over.abort()
  await watching
})

const track = () => new PodTracker(client, 'agents', 'app=x', over.signal)
const pod = (status: object) => ({ ...named('p', { labels: { app: 'x' } }), status }) as Stored

it.each([
  ['an eviction', { phase: 'Failed', reason: 'Evicted', message: 'low on memory' }, 'pod-evicted'],
  [
    'an image',
    { containerStatuses: [{ name: 'agent', state: { waiting: { reason: 'ImagePullBackOff' } } }] },
    'pod-image',
  ],
] as const)('%s ends the wait for a pod', async (_, status, code) => {
  const tracker = track()
  const waiting = tracker.until(() => undefined, { container: 'agent', signal: over.signal, ms: 20_000 })
  server.store.create(pods, pod({ phase: 'Pending' }))
  server.store.update(pods, 'p', (now) => ({ ...now, status }))
  await expect(waiting).rejects.toMatchObject({ code })
})

it('so does its deletion, and the end of the time: with what it waited for', async () => {
  const tracker = track()
  const running = (each: Pod) => (each.status?.phase === 'Running' ? true : undefined)
  const unscheduled = { type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }
  server.store.create(pods, pod({ phase: 'Pending', conditions: [unscheduled] }))
  const late = tracker.until(running, { container: 'agent', signal: over.signal, ms: 300 })
  await expect(late).rejects.toMatchObject({ code: 'pod-not-started', message: expect.stringContaining('0/3 nodes') })
  const waiting = tracker.until(running, { container: 'agent', signal: over.signal, ms: null })
  server.store.delete(pods, 'p')
  await expect(waiting).rejects.toMatchObject({ code: 'pod-lost' })
  expect(tracker.gone).toBe(true)
})

it('what a process left that is gone is found and removed; what is at work stays', async () => {
  const jobs = '/apis/batch/v1/namespaces/agents/jobs'
  const about = (owner: object, more: object = {}) => ({
    labels: {
      ...{ 'app.kubernetes.io/managed-by': 'leanvibe', 'leanvibe.dev/instance': instanceOf('/data') },
      ...{ 'leanvibe.dev/task': 'tsk_1', ...more },
    },
    annotations: { 'leanvibe.dev/owner': JSON.stringify(owner) },
  })
  const dead = { ...thisProcess(), start: 'long ago' }
  server.store.create(jobs, named('left', about(dead)))
  server.store.create(jobs, named('live', about(thisProcess())))
  server.store.create(pods, named('of-the-job', about(dead, { 'leanvibe.dev/job': 'left' })))
  server.store.create(secrets, named('left', about(dead)))
  server.store.create(secrets, named('a-stranger', {}))
  const expected = [
    { kind: 'Job', name: 'left', task: 'tsk_1' },
    { kind: 'Secret', name: 'left', task: 'tsk_1' },
  ]
  expect(await findLeftObjects(client, 'agents', '/data', over.signal)).toEqual(expected)
  expect(await findLeftObjects(client, 'agents', '/elsewhere', over.signal)).toEqual([])
  expect(await removeLeftObjects(client, 'agents', '/data', over.signal)).toEqual(expected)
  expect(await findLeftObjects(client, 'agents', '/data', over.signal)).toEqual([])
  expect(server.store.get(jobs, 'live')).not.toBeNull()
})

it('the way to a cluster is in a kubeconfig, or in the pod that we are in', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'leanvibe-kubeconfig-'))
  try {
    const file = join(folder, 'config')
    writeFileSync(join(folder, 'token'), 'from a file\n')
    writeFileSync(join(folder, 'ca.crt'), 'the ca')
    writeFileSync(join(folder, 'namespace'), 'ours')
    const users = [
      { name: 'plain', user: { token: 'abc' } },
      { name: 'file', user: { tokenFile: 'token' } },
      {
        name: 'plugin',
        user: {
          exec: {
            apiVersion: 'v1',
            command: process.execPath,
            args: [
              '-e',
              'console.log(JSON.stringify({status:{token:JSON.parse(process.env.KUBERNETES_EXEC_INFO).kind}}))',
            ],
          },
        },
      },
    ]
    const clusters = [
      {
        name: 'c',
        cluster: { server: 'https://c/', 'certificate-authority-data': Buffer.from('ca').toString('base64') },
      },
    ]
    const contexts = users.map(({ name }) => ({ name, context: { cluster: 'c', user: name, namespace: 'agents' } }))
    writeFileSync(file, JSON.stringify({ users, clusters, contexts, 'current-context': 'plain' }))
    const read = (context: string | null, variables: Record<string, string> = {}, kubeconfig: string | null = file) =>
      readKubeAccess({
        ...{ kubeconfig, context, namespace: null, home: null, accountFolder: folder },
        variable: (name) => ({ PATH: process.env.PATH, ...variables })[name],
      })
    const plain = await read(null)
    expect(plain).toMatchObject({ server: 'https://c', namespace: 'agents', ca: 'ca', insecure: false, source: file })
    expect(await plain.token()).toBe('abc')
    expect(await (await read('file')).token()).toBe('from a file')
    expect(await (await read('plugin')).token()).toBe('ExecCredential')
    const inside = await read(null, { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }, null)
    expect(inside).toMatchObject({ server: 'https://10.0.0.1:443', namespace: 'ours', ca: 'the ca' })
    expect(await inside.token()).toBe('from a file')
    await expect(read('nobody')).rejects.toMatchObject({
      code: 'kube-config-invalid',
      message: expect.stringContaining('"nobody"'),
    })
    await expect(read(null, {}, join(folder, 'missing'))).rejects.toMatchObject({ code: 'kube-config-invalid' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
