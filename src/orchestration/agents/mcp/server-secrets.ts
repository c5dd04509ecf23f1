import type { ToolServerSettings } from '../../../foundation/platform/config/tool-settings.ts'

/** What one MCP server is given that nobody else sees. */
export interface ServerAccess {
  /** Variables of its program. */
  readonly env: Readonly<Record<string, string>>
  /** Headers of requests to its address. */
  readonly headers: Readonly<Record<string, string>>
  /** Values in both that must not be shown. */
  readonly masked: readonly string[]
}

/** Reads what a server is given when it is needed, so that it is as it is then. */
export interface ServerSecrets {
  of(settings: ToolServerSettings, signal: AbortSignal): Promise<ServerAccess>
}

export interface SecretValues {
  /** The variables with their values; unset ones are left out. */
  environmentOf(names: readonly string[]): Readonly<Record<string, string>>
  /** The value of a declared secret. */
  read(name: string, signal: AbortSignal): Promise<string>
}

export function createServerSecrets(values: SecretValues): ServerSecrets {
  return {
    async of({ env: names, headers, secret }, signal) {
      const env = values.environmentOf(names)
      const bearer = secret === null ? null : await values.read(secret, signal)
      return {
        env,
        headers: { ...headers, ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }) },
        masked: [...Object.values(env), ...(bearer === null ? [] : [bearer])],
      }
    },
  }
}
