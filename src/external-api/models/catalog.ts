import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ModelAccount, ModelsConfig } from '../../foundation/platform/config/models.ts'
import { modelErrors } from './models-errors.ts'
import type { WireName } from './wire/wire.ts'

/** Where a call can go: an account, the model's name there, and the form in which it is asked. */
export interface Target {
  readonly account: ModelAccount
  readonly model: string
  readonly wire: WireName
}

/** What a provider speaks. */
const spoken: Readonly<Record<ModelAccount['provider'], readonly WireName[]>> = {
  openai: ['chat', 'responses', 'embeddings'],
  compatible: ['chat', 'responses', 'embeddings'],
  anthropic: ['messages', 'count'],
}
/** What the gateway can say in another form. */
const translated: Readonly<Partial<Record<WireName, WireName>>> = { chat: 'messages', messages: 'chat' }

/** The models that a tenant can call, by their names and aliases. */
export class ModelCatalog {
  readonly #config: ModelsConfig

  constructor(config: ModelsConfig) {
    this.#config = config
  }

  /**
   * The targets of a name, in order of preference. Errors: `model-not-found`; `model-dialect-unsupported` where the model is
   * there, but cannot be asked in this form.
   */
  resolve(tenant: TenantId, name: string, wire: WireName): readonly Target[] {
    const places = this.#placesOf(tenant, name)
    if (places.length === 0) throw modelErrors['model-not-found'](`there is no model ${name}`)
    const targets = places.flatMap(({ account, model }) => {
      const speaks = spoken[account.provider]
      const other = translated[wire]
      if (speaks.includes(wire)) return [{ account, model, wire }]
      return other !== undefined && speaks.includes(other) ? [{ account, model, wire: other }] : []
    })
    if (targets.length > 0) return targets
    const kind = wire === 'messages' || wire === 'count' ? 'Anthropic' : 'OpenAI'
    throw modelErrors['model-dialect-unsupported'](
      `${name} is behind a provider that has no counterpart of the ${kind} endpoint for ${wire === 'count' ? 'counting tokens' : wire}`,
    )
  }

  /** Every name that can be called: aliases, and names of accounts that hold no `*`. */
  list(tenant: TenantId): readonly { readonly name: string; readonly places: readonly Place[] }[] {
    const plain = this.#accountsOf(tenant).flatMap(({ models }) => models.filter((model) => !model.includes('*')))
    const names = new Set([...Object.keys(this.#config.aliases), ...plain])
    return [...names]
      .map((name) => ({ name, places: this.#placesOf(tenant, name) }))
      .filter(({ places }) => places.length > 0)
  }

  /** Names with `*` that accounts serve. */
  patterns(tenant: TenantId): readonly { readonly account: ModelAccount; readonly pattern: string }[] {
    return this.#accountsOf(tenant).flatMap((account) =>
      account.models.filter((model) => model.includes('*')).map((pattern) => ({ account, pattern })),
    )
  }

  #placesOf(tenant: TenantId, name: string): readonly Place[] {
    const accounts = this.#accountsOf(tenant)
    const alias = Object.hasOwn(this.#config.aliases, name) ? this.#config.aliases[name] : undefined
    if (alias === undefined)
      return accounts
        .filter(({ models }) => models.some((pattern) => fits(pattern, name)))
        .map((account) => ({ account, model: name }))
    return alias.flatMap((place) =>
      accounts.filter((account) => account.name === place.account).map((account) => ({ account, model: place.model })),
    )
  }

  #accountsOf(tenant: TenantId): readonly ModelAccount[] {
    return this.#config.accounts.filter(({ tenants }) => tenants.includes('*') || tenants.includes(tenant))
  }
}

export interface Place {
  readonly account: ModelAccount
  readonly model: string
}

/** Whether a name fits a pattern in which `*` stands for any text. */
export function fits(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === name
  if (!name.startsWith(first)) return false
  const last = rest.pop()!
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
