import type { TaskPushNotificationConfig } from '@a2a-js/sdk'
import { RequestMalformedError } from '@a2a-js/sdk/errors'
import type { IdSource, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import type { AddressGuard } from '../../foundation/platform/network/address-guard.ts'
import type { SigningKeys } from '../webhooks/signing-keys.ts'
import { openPush, sealPush } from './push-seal.ts'
import { deletePushConfig, type PushConfigRow, pushConfigsOf, savePushConfig } from './push-store.ts'

export interface PushConfigsOptions {
  readonly database: Database
  readonly keys: SigningKeys
  readonly guard: AddressGuard
  readonly ids: IdSource
  /** Resolves when whatever happens from then on is read for those who are to be told, also by whoever comes after a crash. */
  readonly ready: () => Promise<void>
}

const mostConfigs = 10
const longest = 8_000

/** Where callers want to be told of their tasks. */
export class PushConfigs {
  readonly #options: PushConfigsOptions

  constructor(options: PushConfigsOptions) {
    this.#options = options
  }

  /** Before the task begins of which is told. Throws `a2a-push-url-refused`, and refuses what no header could carry. */
  async accept(config: TaskPushNotificationConfig): Promise<void> {
    this.#check(config)
    await this.#options.ready()
  }

  #check({ url, id, token, authentication }: TaskPushNotificationConfig): void {
    this.#options.guard.checkUrl(url)
    const words = [token, authentication?.scheme ?? '', authentication?.credentials ?? '']
    if (id.length > 200 || url.length > 2_000 || words.some((word) => word.length > longest)) {
      throw new RequestMalformedError('the configuration is too long')
    }
    if (words.some((word) => /[^\t\x20-\x7e]/.test(word))) {
      throw new RequestMalformedError('tokens and credentials are printable ASCII')
    }
  }

  async create(
    tenant: TenantId,
    runId: string,
    config: TaskPushNotificationConfig,
  ): Promise<TaskPushNotificationConfig> {
    await this.accept(config)
    return this.#options.database.forTenant(tenant).write((tx) => this.createIn(tx, tenant, runId, config))
  }

  /** What was checked before. */
  async createIn(
    tx: Tx,
    tenant: TenantId,
    runId: string,
    config: TaskPushNotificationConfig,
  ): Promise<TaskPushNotificationConfig> {
    const { keys, guard, ids, database } = this.#options
    const known = await pushConfigsOf(tx, tenant, runId)
    const id = config.id === '' ? ids.next<string>('a2p') : config.id
    if (known.length >= mostConfigs && !known.some((each) => each.id === id)) {
      throw new RequestMalformedError(`a task has at most ${mostConfigs} configurations`)
    }
    const secrets = {
      token: config.token,
      scheme: config.authentication?.scheme ?? '',
      credentials: config.authentication?.credentials ?? '',
    }
    const owner = { tenant, runId, id }
    const row = { ...owner, url: guard.checkUrl(config.url).href, sealed: sealPush(keys, owner, secrets) }
    await savePushConfig(tx, { ...row, keyId: keys.keyId }, database.clock.now())
    return { ...config, id, taskId: runId, tenant: '' }
  }

  async list(tenant: TenantId, runId: string): Promise<readonly TaskPushNotificationConfig[]> {
    const rows = await this.#options.database.forTenant(tenant).read((tx) => pushConfigsOf(tx, tenant, runId))
    return rows.map((row) => this.#view(row))
  }

  async show(tenant: TenantId, runId: string, id: string): Promise<TaskPushNotificationConfig> {
    const found = (await this.list(tenant, runId)).find((config) => config.id === id)
    if (found === undefined) throw new RequestMalformedError(`the task has no configuration ${id}`)
    return found
  }

  async remove(tenant: TenantId, runId: string, id: string): Promise<void> {
    await this.#options.database.forTenant(tenant).write((tx) => deletePushConfig(tx, tenant, runId, id))
  }

  #view(row: PushConfigRow): TaskPushNotificationConfig {
    const { token, scheme, credentials } = openPush(this.#options.keys, row, row.sealed, row.keyId)
    const authentication = scheme === '' ? undefined : { scheme, credentials }
    return { tenant: '', id: row.id, taskId: row.runId, url: row.url, token, authentication }
  }
}
