import type { Clock } from '../../../foundation/kernel/clock.ts'
import { type SigningKeys, versionsOf } from '../signing-keys.ts'
import type { Source } from './source.ts'

/** Reads a configured secret by its name. */
export type ReadSecret = (name: string) => Promise<string>

export interface SourceSecretsOptions {
  readonly keys: SigningKeys
  readonly readSecret: ReadSecret
  readonly clock: Clock
  /** How long a configured secret is kept in memory, ms: reading it may start a program. Default 30,000. */
  readonly keepMs?: number
}

/** The secrets by which requests of a source are verified, the present one first. */
export type SecretsOf = (source: Source) => Promise<readonly string[]>

export function createSourceSecrets({ keys, readSecret, clock, keepMs = 30_000 }: SourceSecretsOptions): SecretsOf {
  const kept = new Map<string, { readonly value: Promise<string>; readonly until: number }>()
  const read = (name: string): Promise<string> => {
    const now = clock.monotonic()
    const known = kept.get(name)
    if (known !== undefined && known.until > now) return known.value
    const value = readSecret(name)
    kept.set(name, { value, until: now + keepMs })
    value.catch(() => kept.delete(name))
    return value
  }
  return async (source) => {
    if (source.secrets.length > 0) return Promise.all(source.secrets.map(read))
    return versionsOf(source, clock.now()).map((version) => keys.secretOf({ ...source, version }))
  }
}
