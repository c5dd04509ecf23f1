import type { Writable } from 'node:stream'
import { type Clock, systemClock } from '../foundation/kernel/clock.ts'
import type { HttpLogger } from '../foundation/platform/http/http-logger.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof levels)[number]
export type LineLogger = HttpLogger & { info(fields: object, message: string): void }

/** One JSON document a line, from `least` upwards. */
export function createLineLogger(stream: Writable, least: Level, clock: Clock = systemClock): LineLogger {
  const at = (level: Level) => (fields: object, message: string) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return
    stream.write(`${JSON.stringify({ time: clock.now().toISOString(), level, message, ...shown(fields) })}\n`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Errors have no fields that JSON would show. */
function shown(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]),
  )
}
