import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runWork } from '../kit/work-program.ts'
import { createRepository } from '../repo-checkup/repository.fixture.ts'
import { differenceOf, timesOf } from './compare-times.ts'
import { measure } from './measure.ts'
import { profile, selfTimes } from './profile.ts'

const times = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 2, maxLength: 12 })

test('times compared with themselves do not differ, and who swaps the sides swaps the answer', () => {
  const swapped = { faster: 'slower', slower: 'faster', same: 'same' }
  fc.assert(
    fc.property(times, times, (before, after) => {
      expect(differenceOf(before, before)).toBe('same')
      const there = differenceOf(before, after)
      const back = differenceOf(after, before)
      // The bound of 5 % counts from the side that is called before, so one of the two may be the same.
      if (there !== 'same' && back !== 'same') expect(back).toBe(swapped[there])
    }),
  )
})

test('sets that lie far apart differ, however much each varies', () => {
  expect(differenceOf([1_000, 3_000], [50, 60])).toBe('faster')
  expect(differenceOf([50, 60], [1_000, 3_000])).toBe('slower')
  expect(differenceOf([1, 2], [9, 12])).toBe('same')
})

test('a shift far beyond the spread is seen, at any scale', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 10_000 }),
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 9 }),
      (base, noise) => {
        const before = noise.map((each) => base + each)
        expect(
          differenceOf(
            before,
            before.map((ms) => ms * 3),
          ),
        ).toBe('slower')
        expect(
          differenceOf(
            before.map((ms) => ms * 3),
            before,
          ),
        ).toBe('faster')
      },
    ),
  )
  expect(timesOf([5, 1, 3])).toEqual({ runs: 3, median: 3, spread: 2, least: 1, most: 5 })
})

const loop = (rounds: number) => `let x = 0\nfunction hot() { for (let i = 0; i < ${rounds}; i++) x += i % 3 }\nhot()\n`

test('two commits of a real repository are measured in turns; a slower one is found, and where the time goes', async () => {
  using repo = createRepository()
  const before = repo.commit({
    'package.json': JSON.stringify({ scripts: { bench: 'node "odd name.js"' } }),
    'odd name.js': loop(1e5),
  })
  const after = repo.commit({ 'odd name.js': loop(6e8) })
  const args = ['--repo', repo.path, '--after', after, '--runs', '2', '--command', '["node","odd name.js"]']
  const result = await runWork(measure, args)
  expect(result.facts).toMatchObject({
    before,
    after,
    faster: false,
    commands: [{ shown: 'node odd name.js', difference: 'slower' }],
  })
  expect(result.findings[0]!.title).toMatch(/^node odd name\.js is \d+ % slower/)
  expect(repo.git(['status', '--porcelain'])).toBe('')
  const { facts } = await runWork(profile, ['--dir', repo.path])
  expect(facts.top[0]!.name).toMatch(/^hot odd name\.js:\d+$/)
  expect(facts.top[0]!.percent).toBeGreaterThan(50)
})

test('a first commit has nothing before it; a command that fails is told; without commands it says so', async () => {
  using repo = createRepository()
  const after = repo.commit({ 'README.md': 'x' })
  const first = await runWork(measure, ['--repo', repo.path, '--after', after, '--runs', '2', '--command', '["true"]'])
  expect(first.facts).toMatchObject({ before: null, commands: [{ difference: 'new', beforeMs: null }] })
  const broken = await runWork(measure, ['--repo', repo.path, '--after', after, '--command', '["false"]'])
  expect(broken.facts.commands).toEqual([])
  expect(broken.limits[0]).toContain('false failed with exit code 1')
  expect(broken).toMatchObject({ headline: 'nothing could be measured', findings: [{ id: 'measure/failed' }] })
  expect(first.headline).toBe('1 command measured, 0 faster and 0 slower than before')
  expect((await runWork(measure, ['--repo', repo.path, '--after', after])).findings).toMatchObject([
    { id: 'measure/none' },
  ])
  expect((await runWork(measure, ['--repo', repo.path, '--after', ''])).limits).toEqual([
    'The repository has no commits yet.',
  ])
  await expect(runWork(measure, ['--repo', repo.path, '--after', 'nowhere'])).rejects.toThrow(
    /nowhere of .* cannot be laid out/,
  )
})

test('samples of several processes are added; what is idle does not count', () => {
  const node = (id: number, functionName: string, url = '') => ({ id, callFrame: { functionName, url, lineNumber: 0 } })
  const one = {
    nodes: [node(1, '(idle)'), node(2, 'f', 'file:///p/a.js'), node(3, '(garbage collector)')],
    samples: [1, 2, 3, 2],
    timeDeltas: [1_000, 30, 20, 30],
  }
  expect(selfTimes([one, { nodes: [] }], '/p')).toEqual([
    { name: 'f a.js:1', percent: 75 },
    { name: '(garbage collector)', percent: 25 },
  ])
})
