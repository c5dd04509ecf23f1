import type { AttemptReport, ExchangePort } from '../runners/exchange-contract.ts'

/**
 * An exchange that also records what attempts say they have spent. It is recorded before the runner hears that its reports
 * have arrived: where that fails, it sends them again, and what is on record already counts once.
 */
export function recordingExchange(
  port: ExchangePort,
  record: (reports: readonly AttemptReport[]) => Promise<void>,
): ExchangePort {
  return {
    async exchange(request, signal) {
      const reply = await port.exchange(request, signal)
      await record(request.reports)
      return reply
    },
    onHint: (runnerId, wake) => port.onHint(runnerId, wake),
  }
}
