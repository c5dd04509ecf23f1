import type { Env } from '../foundation/platform/config/env.ts'
import { loadConfig } from '../foundation/platform/config/load-config.ts'
import type { RemoteAgent } from '../orchestration/agents/a2a/read-card.ts'
import { lookUpAgent } from './remote-agents.ts'

export interface RemoteCardOptions {
  readonly cwd: string
  readonly env: Env
  readonly config: string | undefined
  readonly card: string
  /** The name of the secret that the agent knows us by; null: none. */
  readonly secret: string | null
}

const lookMs = 15_000

/** Reads the card of a remote agent as a pool of the project would. Throws what is wrong with it, or with its address. */
export async function loadRemoteCard(
  options: RemoteCardOptions,
): Promise<{ readonly agent: RemoteAgent; readonly secretKnown: boolean }> {
  const { cwd, env, config, card, secret } = options
  const loaded = await loadConfig({ cwd, env, configFile: config })
  const secretKnown = secret !== null && loaded.secrets.names.includes(secret)
  const value = secretKnown ? (await loaded.secrets.read(secret)).reveal() : null
  const headers = value === null ? {} : { authorization: `Bearer ${value}` }
  const signal = AbortSignal.timeout(lookMs)
  return { agent: await lookUpAgent(loaded, { url: card, headers, signal }), secretKnown }
}
