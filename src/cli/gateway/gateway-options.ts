import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import type { AffinityInput } from './route-from-options.ts'

export interface GatewayCliOptions {
  readonly action: string
  readonly port?: number
  readonly id?: string
  readonly file?: string
  readonly name?: string
  readonly path?: string
  readonly method?: readonly string[]
  readonly host?: readonly string[]
  readonly upstream?: readonly string[]
  readonly canary?: readonly string[]
  readonly canaryWeight?: number
  readonly strategy?: string
  readonly rewrite?: string
  readonly affinity?: AffinityInput
  readonly health?: string
  readonly rate?: string
  readonly permission?: string
  readonly tenant?: string
}

export type GatewayAction = (context: CliContext, options: GatewayCliOptions) => Promise<number>

/** The value of an option that an action cannot do without. */
export function need<T>(options: GatewayCliOptions, name: keyof GatewayCliOptions, value: T | undefined): T {
  if (value !== undefined) return value
  throw cliErrors.usage(`--action ${options.action} needs --${name}`)
}
