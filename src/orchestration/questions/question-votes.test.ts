import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outcomeOfVotes, type QuestionVote, withVote } from './question-votes-contract.ts'

const permission = [
  { id: 'once', label: 'Once', meaning: 'allow-once' },
  { id: 'always', label: 'Always', meaning: 'allow-always' },
  { id: 'no', label: 'No', meaning: 'reject-once' },
] as const
const colours = [
  { id: 'red', label: 'Red' },
  { id: 'blue', label: 'Blue' },
]
const people = fc.constantFrom('ann', 'bob', 'cara', 'dan')

/** Takes votes as a service does: until there is an outcome. */
function take(choices: Parameters<typeof outcomeOfVotes>[0], all: readonly QuestionVote[], count: number) {
  let votes: readonly QuestionVote[] = []
  for (const vote of all) {
    votes = withVote(votes, vote)
    const outcome = outcomeOfVotes(choices, votes, count)
    if (outcome !== null) return { outcome, votes }
  }
  return { outcome: null, votes }
}

test('a permission is given by as many different people as it takes, and by nobody against one who refuses', () => {
  const vote = fc.record({ by: people, choice: fc.constantFrom('once', 'always', 'no'), text: fc.constant(null) })
  fc.assert(
    fc.property(fc.array(vote, { maxLength: 8 }), fc.integer({ min: 1, max: 4 }), (all, count) => {
      const { outcome, votes } = take(permission, all, count)
      if (outcome === null) {
        expect(votes.some(({ choice }) => choice === 'no')).toBe(false)
        expect(new Set(votes.map(({ by }) => by)).size).toBeLessThan(count)
      } else if (outcome.choice === 'no') expect(votes.at(-1)!.choice).toBe('no')
      else {
        expect(new Set(outcome.by.split(', ')).size).toBeGreaterThanOrEqual(count)
        if (outcome.choice === 'always') expect(votes.every(({ choice }) => choice === 'always')).toBe(true)
      }
    }),
  )
})

test('of other choices the first that enough people take is the answer, and of words what all of them wrote', () => {
  const vote = fc.record({ by: people, choice: fc.constantFrom('red', 'blue'), text: fc.constant(null) })
  fc.assert(
    fc.property(fc.array(vote, { maxLength: 8 }), fc.integer({ min: 2, max: 4 }), (all, count) => {
      const { outcome, votes } = take(colours, all, count)
      const most = Math.max(0, ...colours.map(({ id }) => votes.filter(({ choice }) => choice === id).length))
      expect(outcome === null ? most < count : most === count).toBe(true)
    }),
  )
  const words = { by: 'ann', choice: null, text: 'green, please' }
  const red = { by: 'bob', choice: 'red', text: null }
  expect(outcomeOfVotes(colours, [red, words], 1)).toEqual(words)
  expect(outcomeOfVotes(colours, [red, words], 2)).toBeNull()
  const also = { by: 'cid', choice: null, text: 'a dark one' }
  expect(outcomeOfVotes(colours, [red, words, also], 2)).toEqual({
    ...{ choice: null, text: 'green, please\n\na dark one', by: 'ann, cid' },
  })
  // What is said twice is handed on once.
  expect(outcomeOfVotes(colours, [words, { ...words, by: 'cid' }], 2)).toMatchObject({ text: words.text })
})
