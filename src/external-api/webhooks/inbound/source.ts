import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { HmacOptions, Preset, Rule, SourceView } from '../sources-contract.ts'

/** Where webhooks of one sender arrive. */
export interface Source {
  readonly tenant: TenantId
  readonly id: string
  readonly name: string
  readonly preset: Preset
  readonly secrets: readonly string[]
  readonly keyId: string
  readonly secretVersion: number
  /** Until then the secret before the present one is accepted. */
  readonly previousUntil: Date | null
  readonly options: { readonly toleranceSeconds: number; readonly hmac: HmacOptions }
  readonly rules: readonly Rule[]
  readonly rate: { readonly limit: number; readonly seconds: number }
  readonly enabled: boolean
  readonly rev: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** Where the sender sends to. The id is hard to guess, so that an address tells nothing of other tenants. */
export const ingressPath = '/webhooks/:id'

export function pathOf(source: Pick<Source, 'id'>): string {
  return ingressPath.replace(':id', source.id)
}

export function toSourceView(source: Source): SourceView {
  const { name, preset, secrets, options, rules, rate, enabled, id, rev, createdAt, updatedAt } = source
  return {
    id,
    name,
    preset,
    secrets: [...secrets],
    toleranceSeconds: options.toleranceSeconds,
    ...(preset === 'hmac' ? { hmac: options.hmac } : {}),
    rules: [...rules],
    rate,
    enabled,
    rev,
    path: pathOf(source),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  }
}
