import { type Clock, systemClock } from './clock.ts'
import { type Random, systemRandom } from './random.ts'

declare const brand: unique symbol
/** A string that cannot be mistaken for another kind of id. */
export type Id<Name extends string> = string & { readonly [brand]: Name }

export type TenantId = Id<'tenant'>
export type RunId = Id<'run'>
export type TaskId = Id<'task'>
export type AgentId = Id<'agent'>
export type RunnerId = Id<'runner'>

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** Makes prefixed, roughly time-sortable ids such as `run_01jd...` (48 bits of time, 80 of randomness). They are names: nothing may be ordered by them. */
export interface IdSource {
  next<T extends string>(prefix: string): T
}

export function createIds(clock: Clock = systemClock, random: Random = systemRandom): IdSource {
  return {
    next<T extends string>(prefix: string): T {
      return `${prefix}_${encodeTime(clock.now().getTime())}${encodeRandom(random.bytes(10))}` as T
    },
  }
}

export const systemIds: IdSource = createIds()

/** Narrows a string that has been checked elsewhere. */
export function asId<T extends Id<string>>(value: string): T {
  return value as T
}

/** Many ids are made in the same millisecond. */
let lastTime: readonly [ms: number, text: string] = [0, '0000000000']

function encodeTime(ms: number): string {
  if (ms !== lastTime[0]) lastTime = [ms, timeText(ms)]
  return lastTime[1]
}

function timeText(ms: number): string {
  let rest = ms
  let text = ''
  for (let i = 0; i < 10; i++) {
    text = alphabet[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return text
}

function encodeRandom(bytes: Uint8Array): string {
  let bits = 0
  let held = 0
  let text = ''
  for (const byte of bytes) {
    bits = (bits << 8) | byte
    held += 8
    while (held >= 5) {
      held -= 5
      text += alphabet[(bits >>> held) & 31]
    }
    bits &= (1 << held) - 1
  }
  return text
}
