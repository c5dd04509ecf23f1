import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { usualRequest } from './amounts-contract.ts'
import { leastAttempts, optimize, type StepUsage, totalSaving } from './optimize.ts'

const mb = 2 ** 20
const gb = 2 ** 30
const usage = (more: Partial<StepUsage> = {}): StepUsage => ({
  ...{ workflow: 'w', step: 's', attempts: 100, hours: 10, p95: {}, most: {} },
  ...more,
})

describe('a proposal', () => {
  test('is the 95th percentile and a fifth more, rounded up, with what it would have saved', () => {
    const found = optimize(usage({ p95: { cpu: 0.2, memory: 100 * mb, disk: 10 * mb } }), usualRequest)
    expect(found.proposal).toEqual({ cpu: 0.3, memory: 128 * mb, disk: 64 * mb, network: usualRequest.network })
    expect(found.advice).toBe('smaller')
    expect(found.saving.coreHours).toBeCloseTo(7)
    expect(found.saving.memoryGbHours).toBeCloseTo((10 * (512 - 128)) / 1_024)
    expect(found.saving.diskGbHours).toBeCloseTo((10 * (1_024 - 64)) / 1_024)
  })

  test('is larger where attempts use more than was set aside, whatever else could be smaller', () => {
    const found = optimize(usage({ p95: { cpu: 0.1, memory: 2 * gb } }), usualRequest)
    expect(found.advice).toBe('larger')
    expect(found.proposal.memory).toBeGreaterThan(2 * gb)
    expect(found.saving.memoryGbHours).toBeLessThan(0)
  })

  test('leaves alone what fits, what was not measured, and what was tried too rarely', () => {
    expect(optimize(usage({ p95: { cpu: 0.8 } }), usualRequest)).toMatchObject({
      advice: 'keep',
      proposal: usualRequest,
    })
    expect(optimize(usage({}), usualRequest)).toMatchObject({ advice: 'keep', proposal: usualRequest })
    const rare = optimize(usage({ attempts: leastAttempts - 1, p95: { cpu: 0.1 } }), usualRequest)
    expect(rare).toMatchObject({ advice: 'too few attempts', proposal: usualRequest, saving: { coreHours: 0 } })
  })

  test('never is below what 95 of 100 attempts used, but where the request was close enough', () => {
    const amount = fc.double({ min: 0, max: 64, noNaN: true })
    fc.assert(
      fc.property(amount, amount, (cpu, asked) => {
        const { proposal } = optimize(usage({ p95: { cpu } }), { ...usualRequest, cpu: asked })
        if (proposal.cpu !== asked) expect(proposal.cpu).toBeGreaterThanOrEqual(cpu)
      }),
    )
  })

  test('savings add up', () => {
    const one = optimize(usage({ p95: { cpu: 0.2 } }), usualRequest)
    expect(totalSaving([one, one]).coreHours).toBeCloseTo(2 * one.saving.coreHours)
    expect(totalSaving([])).toEqual({ coreHours: 0, memoryGbHours: 0, diskGbHours: 0 })
  })
})
