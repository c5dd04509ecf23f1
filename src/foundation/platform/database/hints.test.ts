import { expect, onTestFinished, test, vi } from 'vitest'
import { createHints, type Hint } from './hints.ts'

function create() {
  const sent: Hint[][] = []
  const channels: string[][] = []
  const errors: unknown[] = []
  const hints = createHints({
    carrier: { send: (batch) => sent.push([...batch]), channelsChanged: (next) => channels.push([...next]) },
    onError: (error) => errors.push(error),
    gatherMs: 20,
  })
  return { hints, sent, channels, errors }
}

test('the first hint leaves without delay, those after it together and equal ones once', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { hints, sent } = create()
  hints.notify('a', '1')
  await Promise.resolve()
  expect(sent).toEqual([[{ channel: 'a', payload: '1' }]])
  for (const payload of ['2', '3', '2']) hints.notify('a', payload)
  hints.notify('b')
  await Promise.resolve()
  expect(sent).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(20)
  expect(sent[1]).toEqual([
    { channel: 'a', payload: '2' },
    { channel: 'a', payload: '3' },
    { channel: 'b', payload: '' },
  ])
  hints.close()
})

test('the carrier knows the channels that someone listens to', () => {
  const { hints, channels } = create()
  const first = hints.listen('a', () => undefined)
  const second = hints.listen('a', () => undefined)
  const other = hints.listen('b', () => undefined)
  first()
  first()
  second()
  other()
  expect(channels).toEqual([['a'], ['a', 'b'], ['b'], []])
})

test('a listener that throws does not keep the hint from the others', () => {
  const { hints, errors } = create()
  const seen: string[] = []
  hints.listen('a', () => {
    throw new Error('mine')
  })
  hints.listen('a', (payload) => seen.push(payload))
  hints.deliver({ channel: 'a', payload: 'x' })
  expect(seen).toEqual(['x'])
  expect(errors).toEqual([new Error('mine')])
})

test('nothing leaves after the end', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { hints, sent } = create()
  hints.notify('a')
  hints.close()
  hints.notify('a')
  await vi.advanceTimersByTimeAsync(40)
  expect(sent).toEqual([])
})
