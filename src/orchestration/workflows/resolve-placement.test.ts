import { describe, expect, test } from 'vitest'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { parseWorkflow } from './parse-workflow.ts'
import { resolveItem, resolveStep } from './resolve-step.ts'
import type { ExpressionContext, ResolvedCommand } from './task-contract.ts'

const context = (inputs = {}): ExpressionContext => ({
  inputs,
  steps: {},
  run: { id: 'run_1', name: 'r', workflow: 'w', attempt: 1, state: 'running', startedAt: '2026-01-01T00:00:00.000Z' },
  repo: { path: '/repo', commit: 'abc', branch: 'main' },
})
const read = (step: string) =>
  parseWorkflow(`name: w\ninputs: {who: {default: ''}}\nsteps:\n  a: {command: [x], ${step}}\n`, 'w.yaml').definition
const resolve = (step: string, inputs = {}) => resolveStep(read(step), 'a', context(inputs)) as ResolvedCommand

describe('the place of a step', () => {
  test('is asked for in the words of the guide', () => {
    const task = resolve(
      `
      capabilities: [code, 'review:3'], preferredCapabilities: [fast],
      affinity: {labels: {gpu: a100}, preferred: {zone: a}, key: 'chat \${{ inputs.who }}'},
      anti-affinity: {labels: {spot: 'yes'}, key: 'db-\${{ inputs.who }}', scope: runner},
      region: eu-west, tolerations: [maintenance], strategy: consistent_hash, preemptible: true`,
      { who: 'me' },
    )
    expect(task.capabilities).toEqual(['code', 'review:3'])
    expect(task.placement).toEqual({
      preferredCapabilities: ['fast'],
      labels: { gpu: 'a100' },
      preferredLabels: { zone: 'a' },
      avoidedLabels: { spot: 'yes' },
      affinityKey: 'chat me',
      apart: { key: 'db-me', scope: 'runner' },
      region: 'eu-west',
      tolerations: ['maintenance'],
      strategy: 'consistent_hash',
      preemptible: true,
    })
  })

  test('costs nothing where nothing is asked for', () => {
    expect('placement' in resolve('capabilities: [code]')).toBe(false)
    expect('placement' in resolve('affinity: {}, tolerations: [], preemptible: false')).toBe(false)
  })

  test('an empty key is none, so that an expression can leave it out', () => {
    expect(resolve("affinity: {key: '${{ inputs.who }}'}", { who: '' }).placement).toBe(undefined)
  })

  test('a key may name the item of a map', () => {
    const definition = parseWorkflow(
      'name: w\nsteps:\n  m:\n    map: {over: [a, b], step: {command: [x], affinity: {key: "${{ item }}"}}}\n',
      'w.yaml',
    ).definition
    const item = { name: 'item', value: 'b', index: 1 }
    expect(resolveItem(definition, 'm', { ...context(), item })).toMatchObject({ placement: { affinityKey: 'b' } })
  })

  test.each([
    ["capabilities: ['code:11']", /w.yaml:4:\d+.*level from :1 to :10/],
    ['strategy: best', /w.yaml:4:\d+.*round_robin/],
    ['affinity: {node: x}', /expected one of labels, preferred, key/],
    ['antiAffinity: {key: x}', /anti-affinity/],
    ["affinity: {key: '${{ inputs.nobody }}'}", /nobody/],
  ])('%s is refused with its place', (step, message) => {
    try {
      read(step)
    } catch (error) {
      expect(isAppError(error, 'workflow-invalid')).toBe(true)
      expect((error as Error).message).toMatch(message)
      return
    }
    throw new Error('it was accepted')
  })
})

describe('resources', () => {
  test('have limits beside what is asked for', () => {
    expect(resolve('resources: {cpu: 0.5, memory: 1GB, limits: {cpu: 2, memory: 2GB}}').resources).toEqual({
      cpuCores: 0.5,
      memoryBytes: 2 ** 30,
      diskBytes: 2 ** 30,
      networkMbps: 10,
      limits: { cpuCores: 2, memoryBytes: 2 ** 31 },
    })
    expect('limits' in resolve('resources: {cpu: 2}').resources).toBe(false)
  })

  test('a limit below what is asked for is refused', () => {
    expect(() => read('resources: {memory: 2GB, limits: {memory: 512MB}}')).toThrow(/at least what is asked for: 2GB/)
    expect(() => read('resources: {cpu: 2, limits: {cpu: 2}}')).not.toThrow()
  })
})
