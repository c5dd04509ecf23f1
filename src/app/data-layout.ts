import { join } from 'node:path'

/** What lies where in a data folder. The embedded database, the lock and server.json belong to their own modules. */
export interface DataLayout {
  /** Worktrees and scratch folders of attempts. */
  readonly workspaces: string
  /** The repositories in which worktrees were registered, one git folder a line. */
  readonly repositories: string
  /** Journals of supervised processes. */
  readonly processes: string
  /** Reports that wait for the coordinator. */
  readonly outbox: string
  readonly blobs: string
  /** What went wrong inside, one JSON document a line. */
  readonly log: string
  /** Copies of results, for people. */
  readonly artifacts: string
  /** Personas for all that use the folder; nothing writes there but people. */
  readonly personas: string
}

export function dataLayoutOf(folder: string): DataLayout {
  return {
    workspaces: join(folder, 'workspaces'),
    repositories: join(folder, 'repositories'),
    processes: join(folder, 'processes'),
    outbox: join(folder, 'outbox.ndjson'),
    blobs: join(folder, 'blobs'),
    log: join(folder, 'leanvibe.log'),
    artifacts: join(folder, 'artifacts'),
    personas: join(folder, 'personas'),
  }
}
