import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { ModelCatalog } from '../external-api/models/catalog.ts'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import type { A2aSettings } from '../foundation/platform/config/a2a-settings.ts'
import type { HttpAgentSettings } from '../foundation/platform/config/http-agent.ts'
import type { LlmAgentSettings } from '../foundation/platform/config/llm-agent.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import { createAddressGuard } from '../foundation/platform/network/address-guard.ts'
import { createGuardedFetch } from '../foundation/platform/network/guarded-fetch.ts'
import { findProgram } from '../foundation/platform/processes/index.ts'
import { httpAgentErrors } from '../orchestration/agents/http/http-errors.ts'
import { sessionErrors } from '../orchestration/agents/sessions/session-errors.ts'
import { lateOr, lookUpAgent } from './remote-agents.ts'

const patienceMs = 10_000
const defaultTenant = asId<TenantId>('default')

/**
 * Whether the agents of a pool could begin: their key is there, what they are reached by answers, their model is served. No
 * task is sent. Resolves to what was found, null where there is nothing to look at. @throws what is wrong, as an AppError
 */
export async function tryAgents(loaded: LoadedConfig, { driver, models }: PoolConfig): Promise<string | null> {
  switch (driver?.kind) {
    case 'a2a':
      return tryRemote(loaded, driver)
    case 'http':
      return tryService(loaded, driver)
    case 'llm':
      return tryModel(loaded, driver, models)
    case 'function': {
      const file = resolve(loaded.config.project.root, driver.module)
      if (!existsSync(file)) throw sessionErrors['agent-unreachable'](`there is no ${file}`)
      return driver.module
    }
    case 'acp': {
      const [program = ''] = driver.argv
      // What stands in a worktree is there when there is one.
      if (program.includes('/') && !isAbsolute(program)) return null
      const there = isAbsolute(program) ? existsSync(program) : (await findProgram(program, loaded.env.path)) !== null
      if (!there) throw sessionErrors['agent-unreachable'](`${program} is not on the PATH`)
      return driver.argv.join(' ').slice(0, 200)
    }
    default:
      return null
  }
}

async function tryRemote(loaded: LoadedConfig, { card, auth, origins, skill }: A2aSettings): Promise<string> {
  const key = auth === null ? null : (await loaded.secrets.read(auth.secret)).reveal()
  const headers = auth === null || key === null ? {} : { [auth.header]: auth.bearer ? `Bearer ${key}` : key }
  const agent = await lookUpAgent(loaded, { url: card, origins, headers, signal: AbortSignal.timeout(patienceMs) })
  const { name, skills } = agent.card
  if (skill !== null && !skills.some(({ id }) => id === skill))
    throw sessionErrors['agent-refused'](`${name} has no skill ${skill}`)
  const how = [agent.streaming ? 'streams' : 'is asked', ...(agent.push ? ['notifies'] : [])].join(', ')
  return `${name} at ${agent.endpoint.url} (${how})${key === null ? '' : ', key present'}`
}

/** A HEAD, which does nothing: any answer but that of a broken server is one. */
async function tryService(loaded: LoadedConfig, { url, auth, allow }: HttpAgentSettings): Promise<string> {
  const secret = auth === null ? null : 'bearer' in auth ? auth.bearer : 'basic' in auth ? auth.basic : auth.secret
  if (secret !== null) await loaded.secrets.read(secret)
  const refused = (why: string) => httpAgentErrors['agent-address-refused'](why)
  const guarded = createGuardedFetch({
    guard: createAddressGuard(allow, { url: refused, address: refused }),
    unreachable: sessionErrors['agent-unreachable'],
    tooLong: sessionErrors['agent-protocol'],
    firstByteMs: patienceMs,
  })
  try {
    const { status, body } = await guarded.fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(patienceMs) })
    await body?.cancel()
    // That it takes no HEAD says that it is there.
    if (status >= 500 && status !== 501) throw sessionErrors['agent-unreachable'](`${url} answers ${status}`)
    return `${url} answers${secret === null ? '' : ', key present'}`
  } catch (error) {
    throw lateOr(error)
  } finally {
    await guarded.close()
  }
}

async function tryModel(
  loaded: LoadedConfig,
  { model, wire }: LlmAgentSettings,
  models: readonly string[] | null,
): Promise<string> {
  if (models === null) throw sessionErrors['agent-auth']('it has no key to the model gateway: say `models` in its pool')
  const catalog = new ModelCatalog(loaded.config.models)
  const targets = catalog.resolve(defaultTenant, model, wire === 'openai' ? 'chat' : 'messages')
  const found: string[] = []
  for (const { account } of targets) {
    if (account.secret !== null) await loaded.secrets.read(account.secret)
    found.push(`${account.name}${account.secret === null ? '' : ' (key present)'}`)
  }
  return `${model} by ${found.join(', ')}`
}
