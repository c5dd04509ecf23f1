import type { IdSource, TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../../foundation/kernel/json.ts'
import type { Database, ReadTx } from '../../../foundation/platform/database/database.ts'
import { checkRevision, type ExpectedRevision } from '../../../foundation/platform/http/preconditions.ts'
import { isCustomType } from '../../streams/event-types-contract.ts'
import type { RuleLanguage } from '../rule-language.ts'
import type { SigningKeys } from '../signing-keys.ts'
import { hmacOptionsSchema, type Rule, type WriteSource } from '../sources-contract.ts'
import { webhookErrors } from '../webhook-errors.ts'
import type { Source } from './source.ts'
import { sourceChannel } from './source-cache.ts'
import { deleteSource, findSource, insertSource, listSourceRows, updateSource } from './sources-store.ts'

export interface SourcesOptions {
  readonly database: Database
  readonly ids: IdSource
  readonly keys: SigningKeys
  readonly language: RuleLanguage
  /** Names that `secrets` of a source may use. */
  readonly secretNames: readonly string[]
}

/** What rules can see. */
export const ruleNames = ['headers', 'payload', 'source', 'delivery'] as const

/** Sources of incoming webhooks: made, changed, removed. */
export class SourcesService {
  readonly #options: SourcesOptions

  constructor(options: SourcesOptions) {
    this.#options = options
  }

  list(tenant: TenantId): Promise<readonly Source[]> {
    return this.#options.database.forTenant(tenant).read((tx) => listSourceRows(tx, tenant))
  }

  show(tenant: TenantId, which: string): Promise<Source> {
    return this.#options.database.forTenant(tenant).read((tx) => this.#find(tx, tenant, which))
  }

  async create(tenant: TenantId, input: WriteSource): Promise<Source> {
    const { database, ids, keys } = this.#options
    const now = database.clock.now()
    const source: Source = {
      ...this.#shape(input),
      tenant,
      id: ids.next<string>('whs'),
      keyId: keys.keyId,
      secretVersion: 1,
      previousUntil: null,
      rev: 1,
      createdAt: now,
      updatedAt: now,
    }
    const added = await database.forTenant(tenant).write((tx) => insertSource(tx, source))
    if (!added) throw taken(input.name)
    return source
  }

  /** Throws `precondition-failed` where `expected` is not its present revision. */
  async change(tenant: TenantId, which: string, input: WriteSource, expected: ExpectedRevision): Promise<Source> {
    return this.#update(tenant, which, expected, (source) => ({ ...source, ...this.#shape(input) }))
  }

  /** Makes a new secret; the old one is accepted for `overlapMs`. Of no use where the source names its own. */
  async rotate(tenant: TenantId, which: string, overlapMs: number, expected: ExpectedRevision): Promise<Source> {
    const { database, keys } = this.#options
    return this.#update(tenant, which, expected, (source) => ({
      ...source,
      secretVersion: source.secretVersion + 1,
      // A secret that another key had made is lost with that key.
      previousUntil: source.keyId === keys.keyId ? new Date(database.clock.now().getTime() + overlapMs) : null,
      keyId: keys.keyId,
    }))
  }

  async remove(tenant: TenantId, which: string, expected: ExpectedRevision): Promise<void> {
    const { database } = this.#options
    await database.forTenant(tenant).write(async (tx) => {
      const source = await this.#find(tx, tenant, which)
      checkRevision(expected, source.rev)
      if (!(await deleteSource(tx, source))) throw stale(source)
      tx.afterCommit(() => database.notify(sourceChannel, source.id))
    })
  }

  secretOf(source: Source): string | null {
    return source.secrets.length > 0 ? null : this.#options.keys.secretOf({ ...source, version: source.secretVersion })
  }

  async #update(
    tenant: TenantId,
    which: string,
    expected: ExpectedRevision,
    change: (source: Source) => Source,
  ): Promise<Source> {
    const { database } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const source = await this.#find(tx, tenant, which)
      checkRevision(expected, source.rev)
      const changed = { ...change(source), rev: source.rev + 1, updatedAt: database.clock.now() }
      const other = changed.name === source.name ? null : await findSource(tx, tenant, changed.name)
      if (other !== null) throw taken(changed.name)
      if (!(await updateSource(tx, changed))) throw stale(source)
      tx.afterCommit(() => database.notify(sourceChannel, source.id))
      return changed
    })
  }

  async #find(tx: ReadTx, tenant: TenantId, which: string): Promise<Source> {
    const source = await findSource(tx, tenant, which)
    if (source === null) throw webhookErrors['webhook-source-not-found'](`there is no webhook source ${which}`)
    return source
  }

  #shape(input: WriteSource): Pick<Source, 'name' | 'preset' | 'secrets' | 'options' | 'rules' | 'rate' | 'enabled'> {
    const { name, preset, secrets, rules, rate, enabled, toleranceSeconds } = input
    for (const rule of rules) this.#check(rule)
    for (const secret of secrets) {
      if (this.#options.secretNames.includes(secret)) continue
      throw webhookErrors['webhook-rule-invalid'](`the secret ${secret} is not declared under secrets in leanvibe.yaml`)
    }
    const hmac = input.hmac ?? hmacOptionsSchema.parse({})
    return { name, preset, secrets, options: { toleranceSeconds, hmac }, rules, rate, enabled }
  }

  #check(rule: Rule): void {
    const { language } = this.#options
    if (rule.when !== undefined) language.checkCondition(rule.when, ruleNames)
    const action = 'start' in rule ? rule.start : 'publish' in rule ? rule.publish : rule.resume
    language.checkTemplates(action as unknown as JsonValue, ruleNames)
    const type = 'publish' in rule ? rule.publish.type : 'resume' in rule ? rule.resume.event : null
    if (type !== null && !isCustomType(type)) {
      throw webhookErrors['webhook-type-reserved'](`${JSON.stringify(type)} cannot be published`)
    }
  }
}

function taken(name: string): Error {
  return webhookErrors['webhook-name-taken'](`there is a webhook source ${name} already`)
}

function stale({ name }: Source): Error {
  return webhookErrors['webhook-changed'](`the source ${name} is being changed by somebody else`)
}
