import type { Clock } from '../../foundation/kernel/clock.ts'
import type { ModelAccount } from '../../foundation/platform/config/models.ts'
import { modelErrors } from './models-errors.ts'

const rememberMs = 60_000

/** The keys of accounts, read by reference and remembered for a minute: a reference may be a command. */
export class AccountKeys {
  readonly #read: (name: string) => Promise<string>
  readonly #clock: Clock
  readonly #known = new Map<string, { readonly until: number; readonly value: Promise<string> }>()

  constructor(read: (name: string) => Promise<string>, clock: Clock) {
    this.#read = read
    this.#clock = clock
  }

  /** Null for accounts that want none. Errors: `model-account-unusable`. */
  async of({ name, secret }: ModelAccount): Promise<string | null> {
    if (secret === null) return null
    const at = this.#clock.monotonic()
    const known = this.#known.get(secret)
    if (known !== undefined && known.until > at) return known.value
    const value = this.#read(secret).catch((cause: unknown) => {
      this.#known.delete(secret)
      throw modelErrors['model-account-unusable'](`the key of the account ${name} cannot be read`, { cause })
    })
    this.#known.set(secret, { until: at + rememberMs, value })
    return value
  }

  /** The provider did not take it: it may have been renewed. */
  forget({ secret }: ModelAccount): void {
    if (secret !== null) this.#known.delete(secret)
  }
}
