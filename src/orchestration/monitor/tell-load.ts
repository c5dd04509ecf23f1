import { type Clock, systemClock } from '../../foundation/kernel/clock.ts'
import type { ExchangePort, ExchangeRequest } from '../runners/exchange-contract.ts'
import type { HostFigures } from './host-figures.ts'

const everyMs = 2_000

/** The same port, over which a runner also tells how busy its machine is, measured about every two seconds. */
export function tellLoad(
  port: ExchangePort,
  host: { read(): Promise<HostFigures> },
  clock: Clock = systemClock,
): ExchangePort {
  let load: ExchangeRequest['load']
  let readAt = Number.NEGATIVE_INFINITY
  const look = () => {
    if (clock.monotonic() - readAt < everyMs) return
    readAt = clock.monotonic()
    host.read().then(
      ({ utilisation }) => {
        load = Object.fromEntries(Object.entries(utilisation).filter(([, share]) => share !== null))
      },
      () => {
        // What cannot be measured is not told.
        load = undefined
      },
    )
  }
  return {
    onHint: (runnerId, wake) => port.onHint(runnerId, wake),
    exchange: (request, signal) => {
      look()
      return port.exchange(load === undefined ? request : { ...request, load }, signal)
    },
  }
}
