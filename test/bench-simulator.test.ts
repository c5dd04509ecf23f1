import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contenders } from '../bench/simulator/dispatchers.ts'
import { Heap } from '../bench/simulator/heap.ts'
import { byStrategy, simulate } from '../bench/simulator/simulate.ts'
import { parseTrace, readTrace } from '../bench/simulator/trace.ts'
import { type Job, jobsOf, workOf } from '../bench/simulator/workload.ts'
import { roundRobin } from '../src/foundation/balancing/round-robin.ts'
import { seededRandom } from '../src/foundation/kernel/random.ts'

const alike = () => 1
const one = [{ id: 'a', speed: 1 }]
const byTurns = () => byStrategy(roundRobin())

test('a heap gives what it was given, the least first', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (numbers) => {
      const heap = new Heap<number>((a, b) => a < b)
      for (const number of numbers) heap.push(number)
      expect(numbers.map(() => heap.pop())).toEqual([...numbers].sort((a, b) => a - b))
      expect(heap.pop()).toBe(undefined)
    }),
  )
})

test('one agent works jobs off in their order', () => {
  const jobs: Job[] = [
    { arrivesAt: 0, work: 10, key: '' },
    { arrivesAt: 4, work: 10, key: '' },
    { arrivesAt: 100, work: 1, key: '' },
  ]
  expect(simulate(jobs, one, alike, byTurns, Math.random)).toEqual([10, 16, 1])
  expect(simulate(jobs, [{ id: 'a', speed: 0.5 }], alike, byTurns, Math.random)).toEqual([20, 36, 2])
})

test('a single server with random arrivals and times waits as the theory says', () => {
  const random = seededRandom(7)
  const exponential = (mean: number) => -mean * Math.log(1 - random.next())
  let at = 0
  const jobs = Array.from({ length: 200_000 }, (): Job => {
    at += exponential(1 / 0.7)
    return { arrivesAt: at, work: exponential(1), key: '' }
  })
  const sojourns = simulate(jobs, one, alike, byTurns, Math.random)
  // M/M/1 at load 0.7: 1 / (1 - 0.7).
  expect(sojourns.reduce((sum, ms) => sum + ms, 0) / sojourns.length).toBeCloseTo(1 / 0.3, 0)
})

const trace = Array.from({ length: 500 }, (_, n) => ({ at: n * 100, contextTokens: 400, generatedTokens: n % 7 }))

test('the work that is offered is the load that was asked for, wherever the trace begins', () => {
  const total = trace.reduce((sum, request) => sum + workOf(request), 0)
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(0.5, 0.7, 0.9), (seed, load) => {
      const jobs = jobsOf(trace, 6, load, seededRandom(seed))
      expect(jobs.reduce((sum, job) => sum + job.work, 0)).toBeCloseTo(total)
      const times = jobs.map((job) => job.arrivesAt)
      expect([...times].sort((a, b) => a - b)).toEqual(times)
      expect(total / (times.at(-1)! * 6)).toBeCloseTo(load, 1)
    }),
  )
})

test('every contender gives every job to an agent, and nobody ends sooner than the work takes', () => {
  const agents = Array.from({ length: 8 }, (_, n) => ({ id: `a${n}`, speed: n % 4 === 0 ? 1 / 3 : 1 }))
  const jobs = jobsOf(trace, 6, 0.9, seededRandom(1))
  for (const { name, make, weightOf } of contenders) {
    const random = seededRandom(2)
    const sojourns = simulate(jobs, agents, weightOf, make, () => random.next())
    expect(sojourns.length, name).toBe(jobs.length)
    for (const [n, sojourn] of sojourns.entries()) expect(sojourn, name).toBeGreaterThanOrEqual(jobs[n]!.work - 1e-6)
  }
})

test('a trace is read with its times, and what is wrong with it is told with its line', () => {
  const head = 'TIMESTAMP,ContextTokens,GeneratedTokens\n'
  expect(parseTrace(`${head}2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n`, 'x')).toEqual([
    { at: 0, contextTokens: 4808, generatedTokens: 10 },
    { at: 52, contextTokens: 3180, generatedTokens: 8 },
  ])
  expect(() => parseTrace(`${head}2023-11-16 18:17:03.97,4808,x\n`, 'x.csv')).toThrow('x.csv, line 2: expected')
  expect(() => readTrace('/no/such/trace.csv')).toThrow('name its place in LEANVIBE_BENCH_TRACE')
})
