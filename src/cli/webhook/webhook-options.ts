import type { Preset } from '../../external-api/webhooks/sources-contract.ts'
import type { WriteSubscription } from '../../external-api/webhooks/subscriptions-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'

export interface WebhookOptions {
  readonly action: string
  readonly port?: number
  readonly id?: string
  readonly name?: string
  readonly preset?: Preset
  readonly secret?: readonly string[]
  readonly rules?: string
  /** `name=value` each. */
  readonly hmac?: readonly string[]
  readonly rate?: number
  readonly url?: string
  readonly types?: string
  readonly filter?: string
  readonly ordering?: WriteSubscription['ordering']
  readonly format?: WriteSubscription['format']
  readonly asymmetric?: boolean
  readonly overlap: number
  readonly state?: string
  readonly from?: string
  readonly until?: string
  readonly limit: number
}

export type WebhookAction = (context: CliContext, options: WebhookOptions) => Promise<number>

/** The value of an option that an action cannot do without. */
export function need<T>(options: WebhookOptions, name: keyof WebhookOptions, value: T | undefined): T {
  if (value !== undefined) return value
  throw cliErrors.usage(`--action ${options.action} needs --${name}`)
}

/** An instant that a person wrote. */
export function instant(name: string, text: string): string {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) throw cliErrors.usage(`--${name}: ${JSON.stringify(text)} is not a time`)
  return at.toISOString()
}
