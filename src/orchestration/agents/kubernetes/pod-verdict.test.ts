import { expect, it } from 'vitest'
import type { Pod } from './kube-types.ts'
import { parseQuantity } from './pod-usage.ts'
import { endOfContainer, failureOf, waitingFor } from './pod-verdict.ts'

const pod = (status: Pod['status']): Pod => ({ metadata: { name: 'p' }, status: status ?? {} })
const agent = (state: NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]['state']) =>
  pod({ phase: 'Running', containerStatuses: [{ name: 'agent', ...(state === undefined ? {} : { state }) }] })
const about = { wallSeconds: 2, cpuSeconds: 1, mostBytes: 5 }

it.each([
  [
    'an eviction',
    { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory' },
    'pod-evicted',
    'low on memory',
  ],
  [
    'a preemption',
    { phase: 'Failed', conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
    'pod-evicted',
    'PreemptionByScheduler',
  ],
  ['a deadline', { phase: 'Failed', reason: 'DeadlineExceeded' }, 'pod-deadline', 'longer than it may'],
  ['a lost node', { phase: 'Failed', reason: 'NodeLost' }, 'pod-lost', 'lost with its node'],
  [
    'an image',
    {
      containerStatuses: [
        { name: 'agent', state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } },
      ],
    },
    'pod-image',
    'agent: ImagePullBackOff: no such image',
  ],
  [
    'a configuration',
    { initContainerStatuses: [{ name: 'workspace-in', state: { waiting: { reason: 'CreateContainerConfigError' } } }] },
    'pod-image',
    'workspace-in: CreateContainerConfigError',
  ],
  [
    'a workspace that failed',
    { initContainerStatuses: [{ name: 'workspace-in', state: { terminated: { exitCode: 1 } } }] },
    'pod-workspace',
    'ended with 1',
  ],
  ['a failure without a reason', { phase: 'Failed' }, 'pod-lost', 'p failed'],
] as const)('%s is told', (_, status, code, message) => {
  expect(failureOf(pod(status as Pod['status']), 'agent')).toMatchObject({
    code,
    message: expect.stringContaining(message),
  })
})

it('a pod that waits has not failed', () => {
  const waiting = pod({
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' },
    ],
    containerStatuses: [{ name: 'agent', state: { waiting: { reason: 'ErrImagePull' } } }],
  })
  expect(failureOf(waiting, 'agent')).toBeNull()
  expect(waitingFor(waiting)).toBe('0/3 nodes are available')
  expect(waitingFor(null)).toBe('no pod has been made')
})

it.each([
  [{ exitCode: 0 }, { exitCode: 0, signal: null, breach: null }],
  [{ exitCode: 7 }, { exitCode: 7, signal: null }],
  [
    { exitCode: 143, reason: 'Error' },
    { exitCode: null, signal: 'SIGTERM' },
  ],
  [{ exitCode: 137, reason: 'OOMKilled' }, { breach: { resource: 'memory', used: 100, limit: 100 } }],
  [{ exitCode: 128, message: 'exec: "x": executable file not found in $PATH' }, { code: 'pod-image' }],
])('the end %j is %j', (terminated, expected) => {
  expect(endOfContainer(agent({ terminated }), 'agent', about, 100)).toMatchObject(expected)
})

it('what runs has no end', () => {
  expect(endOfContainer(agent({ running: {} }), 'agent', about, 100)).toBeNull()
})

it.each([
  ['250m', 0.25],
  ['1500000n', 0.0015],
  ['12Mi', 12 * 2 ** 20],
  ['2', 2],
  ['many', null],
])('%s is %s', (text, value) => expect(parseQuantity(text)).toBe(value))
