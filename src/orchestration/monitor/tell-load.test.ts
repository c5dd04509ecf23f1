import { expect, test } from 'vitest'
import { ManualClock } from '../../foundation/kernel/clock.ts'
import type { ExchangePort, ExchangeReply, ExchangeRequest } from '../runners/exchange-contract.ts'
import { HostSampler, systemHost } from './host-figures.ts'
import { tellLoad } from './tell-load.ts'

test('a runner tells how busy its machine is, measured now and then', async () => {
  const clock = new ManualClock()
  let looks = 0
  const memory = () => ({ usedBytes: ++looks * 10, totalBytes: 100 })
  const source = { ...systemHost, memory, memoryLimit: async () => null, network: async () => null }
  const seen: ExchangeRequest[] = []
  const port: ExchangePort = {
    onHint: () => () => {},
    exchange: async (request) => {
      seen.push(request)
      return { assignments: [], cancels: [], revoked: [] } satisfies ExchangeReply
    },
  }
  const telling = tellLoad(port, new HostSampler('/', source, clock), clock)
  const exchange = () =>
    telling.exchange(
      { runnerId: 'r', reports: [], progress: [], holding: [], accept: true } as unknown as ExchangeRequest,
      new AbortController().signal,
    )
  await exchange()
  expect(seen[0]!.load).toBe(undefined)
  const told = async () => {
    await exchange()
    return seen.at(-1)!.load
  }
  await expect.poll(told).toMatchObject({ memory: 0.1 })
  expect(looks).toBe(1)
  expect('network' in seen.at(-1)!.load!).toBe(false)
  clock.advance(3_000)
  await expect.poll(told).toMatchObject({ memory: 0.2 })
})
