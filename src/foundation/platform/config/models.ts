import type { ModelsFile } from './models-schema.ts'
import type { Complain } from './pools.ts'

export type ModelProvider = 'openai' | 'anthropic' | 'compatible'

/** An account with a provider of models. Its key is a reference, read when it is needed. */
export interface ModelAccount {
  readonly name: string
  readonly provider: ModelProvider
  /** Without a slash at its end. */
  readonly url: string
  /** The name of a secret; null: no key is sent. */
  readonly secret: string | null
  /** Names of models, `*` for any text. */
  readonly models: readonly string[]
  /** Tenants that may use it; `*` for all. */
  readonly tenants: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly concurrent: number | null
  readonly outputField: 'max_tokens' | 'max_completion_tokens'
  /** After so long without a byte a call is given up. */
  readonly timeoutMs: number
  /** The subscription that its calls draw on; null: they are paid by the call. */
  readonly subscription: string | null
}

export interface ModelsConfig {
  readonly accounts: readonly ModelAccount[]
  readonly aliases: Readonly<Record<string, readonly { readonly account: string; readonly model: string }[]>>
  readonly outputTokens: number
  readonly contexts: Readonly<Record<string, number>>
  readonly waitMs: number
  readonly url: string | null
}

const defaults = {
  openai: {
    url: 'https://api.openai.com',
    models: ['gpt-*', 'chatgpt-*', 'o1*', 'o3*', 'o4*', 'codex-*', 'text-embedding-*'],
  },
  anthropic: { url: 'https://api.anthropic.com', models: ['claude-*'] },
  compatible: { url: null, models: null },
} as const

export function shapeModels(
  file: ModelsFile | undefined,
  secretNames: readonly string[],
  complain: Complain,
): ModelsConfig {
  const accounts = Object.entries(file?.accounts ?? {}).map(([name, account]): ModelAccount => {
    const usual = defaults[account.provider]
    const place = ['models', 'accounts', name]
    const url = account.url ?? usual.url
    if (url === null) complain(place, 'a `compatible` account needs `url`')
    const models = account.models ?? usual.models
    if (models === null) complain(place, 'a `compatible` account needs `models`: the names it serves')
    if (account.secret !== undefined && !secretNames.includes(account.secret))
      complain([...place, 'secret'], `there is no secret ${account.secret}: declare it under \`secrets\``)
    return {
      name,
      provider: account.provider,
      url: (url ?? '').replace(/\/+$/, ''),
      secret: account.secret ?? null,
      models: models ?? [],
      tenants: account.tenants ?? ['default'],
      headers: account.headers ?? {},
      requestsPerMinute: account.requestsPerMinute ?? null,
      tokensPerMinute: account.tokensPerMinute ?? null,
      concurrent: account.concurrent ?? null,
      outputField: account.outputField ?? (account.provider === 'openai' ? 'max_completion_tokens' : 'max_tokens'),
      timeoutMs: account.timeout ?? 600_000,
      subscription: account.subscription ?? null,
    }
  })
  const known = new Set(accounts.map(({ name }) => name))
  for (const [alias, targets] of Object.entries(file?.aliases ?? {})) {
    for (const { account } of targets)
      if (!known.has(account)) complain(['models', 'aliases', alias], `there is no account ${account}`)
  }
  return {
    accounts,
    aliases: file?.aliases ?? {},
    outputTokens: file?.output ?? 8_192,
    contexts: file?.contexts ?? {},
    waitMs: file?.wait ?? 30_000,
    url: file?.url?.replace(/\/+$/, '') ?? null,
  }
}
