import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { hashDefinition } from './hash-definition.ts'
import { parseWorkflow } from './parse-workflow.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'
import { workflowErrors } from './workflow-errors.ts'
import { resolveInputs } from './workflow-inputs.ts'
import { newestVersions, readDefinition, storeDefinition } from './workflow-store.ts'

/** Definitions that lie in files: those of the project and those that come with the program. */
export interface DefinitionSource {
  find(name: string): Promise<{ readonly text: string; readonly file: string } | null>
}

/** Texts kept parsed; each is at most 1 MiB. */
const mostParsed = 100

/** Finds workflows by name, keeps every content that a run used as a version, and gives runs the version they began with. */
export class WorkflowCatalogService {
  readonly #source: DefinitionSource
  readonly #versions = new Map<string, WorkflowDefinition>()
  /** Versions that are committed. They never change. */
  readonly #stored = new Map<string, number>()
  readonly #parsed = new Map<string, { readonly definition: WorkflowDefinition; readonly hash: string }>()

  constructor(source: DefinitionSource) {
    this.#source = source
  }

  async store(
    tx: Tx,
    tenant: TenantId,
    what: { readonly name: string } | { readonly text: string; readonly fileName: string },
    now: Date,
  ): Promise<{ definition: WorkflowDefinition; version: number }> {
    const { text, fileName } = 'text' in what ? what : await this.#find(tx, tenant, what.name)
    const { definition, hash } = this.#parse(text, fileName)
    const key = `${tenant}/${definition.name}/${hash}`
    let version = this.#stored.get(key)
    if (version === undefined) {
      const stored = await storeDefinition(tx, tenant, definition, hash, text, now)
      version = stored
      tx.afterCommit(() => {
        if (this.#stored.size > 1_000) this.#stored.clear()
        this.#stored.set(key, stored)
      })
    }
    return { definition, version }
  }

  /** The same text is started again and again: it is parsed once. */
  #parse(text: string, fileName: string): { readonly definition: WorkflowDefinition; readonly hash: string } {
    const known = this.#parsed.get(text)
    if (known !== undefined) return known
    const { definition } = parseWorkflow(text, fileName)
    const parsed = { definition, hash: hashDefinition(definition) }
    if (this.#parsed.size >= mostParsed) this.#parsed.clear()
    this.#parsed.set(text, parsed)
    return parsed
  }

  async read(tx: ReadTx, tenant: TenantId, name: string, version: number): Promise<WorkflowDefinition> {
    const key = `${tenant}/${name}/${version}`
    const known = this.#versions.get(key)
    if (known !== undefined) return known
    const definition = await readDefinition(tx, tenant, name, version)
    if (definition === null)
      throw workflowErrors['workflow-not-found'](`there is no version ${version} of workflow ${name}`)
    if (this.#versions.size > 1_000) this.#versions.clear()
    this.#versions.set(key, definition)
    return definition
  }

  resolveInputs(definition: WorkflowDefinition, given: JsonObject): JsonObject {
    return resolveInputs(definition, given)
  }

  async #find(tx: ReadTx, tenant: TenantId, name: string): Promise<{ text: string; fileName: string }> {
    const file = await this.#source.find(name)
    if (file !== null) return { text: file.text, fileName: file.file }
    const [stored] = await newestVersions(tx, tenant, name)
    if (stored === undefined) throw workflowErrors['workflow-not-found'](`there is no workflow called ${name}`)
    return { text: stored.source, fileName: `${name}@${stored.version}` }
  }
}
