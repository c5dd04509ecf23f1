import { isAppError } from '../../foundation/kernel/errors.ts'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import type { KeptArtifact } from '../artifacts/keep-artifacts.ts'
import type { ArtifactSink } from '../runners/artifact-sink.ts'
import { buildProof, proofText } from './build-proof.ts'
import type { NamedProof } from './proof-contract.ts'
import { proofMarkdown } from './proof-markdown.ts'
import { proofErrors } from './proofs-errors.ts'
import {
  type DueProof,
  deleteProof,
  findDueProofs,
  proofFailed,
  proofMade,
  wantProofs,
  wantProofsOfRuns,
} from './proofs-store.ts'
import { diffName, type ProofSources, proofNames, readRecord } from './read-record.ts'

export interface ProofsServiceOptions {
  readonly database: Database
  readonly blobs: BlobStore
  readonly sink: ArtifactSink
  readonly sources: ProofSources
  /** Throws `run-not-found`; the `runs` part provides it. */
  readonly requireRun: (tx: ReadTx, tenant: TenantId, runId: string) => Promise<void>
  /** A run and those that it called; the `runs` part provides it. */
  readonly runsUnder: (tx: ReadTx, tenant: TenantId, run: RunId, most: number) => Promise<readonly RunId[]>
  /** Which of these tasks have kept an artifact of this name; the `artifacts` part provides it. */
  readonly tasksWith: (
    tx: ReadTx,
    tasks: readonly { readonly tenant: TenantId; readonly taskId: string }[],
    name: string,
  ) => Promise<readonly { readonly tenant: TenantId; readonly taskId: string; readonly runId: string }[]>
  /** Puts artifacts in the place of those of the same names that the task had; the `artifacts` part provides it. */
  readonly keepArtifacts: (tx: Tx, artifacts: readonly KeptArtifact[], now: Date) => Promise<void>
}

/** One bundle as text, in both forms. */
export interface ProofDocument {
  readonly named: NamedProof
  readonly json: string
  readonly markdown: string
}

const taskEnds = new Set(['task.succeeded', 'task.failed', 'task.cancelled', 'task.timed-out', 'task.retrying'])
const goesOn =
  /^(approval\.(voted|approved|rejected|expired|withdrawn)|merge\.(merged|conflict|refused|failed|cancelled)|run\.(succeeded|failed|cancelled))$/
const batch = 20
const restMs = 60_000
/** Tasks of one run that are answered at a time. */
const mostTasks = 100
const mostRuns = 500

/** Proofs of work: made from the record when a task has left a change, and again when more is known of it. */
export class ProofsService {
  readonly #options: ProofsServiceOptions

  constructor(options: ProofsServiceOptions) {
    this.#options = options
  }

  /** Reads the log: which bundles are to be made. */
  readonly handle = async (tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> => {
    const ended = events.filter(({ type }) => taskEnds.has(type))
    if (ended.length > 0) {
      const refs = ended.map(({ tenant, subject }) => ({ tenant, taskId: subject.id }))
      await wantProofs(tx, await this.#options.tasksWith(tx, refs, diffName), now)
    }
    const runs = events.flatMap(({ tenant, type, runId }) =>
      runId !== null && goesOn.test(type) ? [{ tenant, runId }] : [],
    )
    await wantProofsOfRuns(tx, runs)
  }

  /** Makes what is due, from now on. */
  start({ onError }: { readonly onError: (error: unknown) => void }): Loop {
    const { database } = this.#options
    return createLoop({
      pollMs: 1_000,
      idle: { pulse: database.pulse, pollMs: 30_000 },
      onError,
      step: () => this.makeDue(onError),
    })
  }

  /** Makes a batch of what is due; resolves to whether there may be more. */
  async makeDue(onError: (error: unknown) => void): Promise<boolean> {
    const { database } = this.#options
    const system = database.asSystem('proofs')
    const due = await system.read((tx) => findDueProofs(tx, database.clock.now(), batch))
    for (const one of due) {
      try {
        await this.#make(one)
      } catch (error) {
        onError(error)
        const retryAt = new Date(database.clock.now().getTime() + restMs)
        await system.write((tx) => proofFailed(tx, one, retryAt))
      }
    }
    return due.length === batch
  }

  /** The bundle as the record has it now. @throws proof-not-found */
  async show(tenant: TenantId, runId: string, taskId: string): Promise<ProofDocument> {
    const { database, blobs, sources } = this.#options
    const record = await readRecord(database, blobs, sources, { tenant, runId, taskId })
    if (record === null) throw proofErrors['proof-not-found'](`there is no task ${taskId} in ${runId}`)
    const proof = buildProof(record)
    const { text, sha256 } = proofText(proof)
    const artifact = await this.#artifactOf(tenant, runId, artifactId(sha256, 'json'))
    return { named: { sha256, artifact, proof }, json: text, markdown: proofMarkdown(proof, sha256) }
  }

  /** Those of all tasks of a run, and of the runs that it called, that left a change. */
  async ofRun(tenant: TenantId, runId: string): Promise<{ readonly items: NamedProof[]; readonly more: number }> {
    const { database, sources, requireRun, runsUnder } = this.#options
    const changed = await database.forTenant(tenant).read(async (tx) => {
      await requireRun(tx, tenant, runId)
      const tasks = new Map<string, string>()
      for (const run of await runsUnder(tx, tenant, runId as RunId, mostRuns)) {
        const artifacts = await sources.artifactsOf(tx, tenant, run)
        for (const { name, taskId } of artifacts) if (name === diffName) tasks.set(taskId, run)
      }
      return [...tasks]
    })
    const items: NamedProof[] = []
    for (const [taskId, run] of changed.slice(0, mostTasks)) items.push((await this.show(tenant, run, taskId)).named)
    return { items, more: Math.max(0, changed.length - mostTasks) }
  }

  async #make(due: DueProof): Promise<void> {
    const { database, sink, keepArtifacts } = this.#options
    const { tenant, runId, taskId } = due
    const system = database.asSystem('proofs')
    const made = await this.show(tenant, runId, taskId).catch((error: unknown) => {
      if (isAppError(error) && error.code === 'proof-not-found') return null
      throw error
    })
    if (made === null) {
      await system.write((tx) => deleteProof(tx, due))
      return
    }
    const { json, markdown, named } = made
    if (named.sha256 === due.sha256) {
      await system.write((tx) => proofMade(tx, due, named.sha256, database.clock.now()))
      return
    }
    const { step } = named.proof.task
    const owner = { tenant, runId: due.runId as never, taskId: due.taskId as never }
    const signal = AbortSignal.timeout(120_000)
    const kept: KeptArtifact[] = []
    for (const [index, form] of (['json', 'md'] as const).entries()) {
      const data = Buffer.from(form === 'json' ? json : markdown)
      const mediaType = form === 'json' ? 'application/json' : 'text/markdown; charset=utf-8'
      const stored = await sink.store(owner, { data }, signal)
      const id = artifactId(named.sha256, form)
      kept.push({ ...stored, tenant, id, runId, taskId, step, name: proofNames[index]!, mediaType })
    }
    failpoint('proof.keep.before')
    await system.write(async (tx) => {
      const now = database.clock.now()
      await keepArtifacts(tx, kept, now)
      await proofMade(tx, due, named.sha256, now)
    })
  }

  async #artifactOf(tenant: TenantId, runId: string, id: string): Promise<string | null> {
    const { database, sources } = this.#options
    const all = await database.forTenant(tenant).read((tx) => sources.artifactsOf(tx, tenant, runId))
    return all.some((each) => each.id === id) ? id : null
  }
}

/** What is named by its content is the same wherever it is made. */
function artifactId(sha256: string, form: 'json' | 'md'): string {
  return `art_proof_${sha256.slice(0, 40)}_${form}`
}
