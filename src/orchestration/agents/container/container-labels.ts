import { createHash } from 'node:crypto'
import { processScope, systemProcessTable } from '../../../foundation/platform/processes/index.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'

/** The process that a container belongs to, so that what a crash leaves is told from what is at work. */
export interface ContainerOwner {
  readonly pid: number
  readonly start: string
  readonly scope: string
}

export function thisProcess(): ContainerOwner {
  const start = systemProcessTable().find(process.pid)?.start ?? ''
  return { pid: process.pid, start, scope: processScope() }
}

/** Names a data folder without telling its path. */
export function dataFolderMark(dataFolder: string): string {
  return createHash('sha256').update(dataFolder).digest('hex').slice(0, 16)
}

export function labelsOf(
  { taskId, runId, fence, attempt }: Assignment,
  pool: string,
  dataFolder: string,
  owner: ContainerOwner,
): Record<string, string> {
  return {
    'dev.leanvibe.data': dataFolderMark(dataFolder),
    'dev.leanvibe.owner': JSON.stringify(owner),
    'dev.leanvibe.pool': pool,
    'dev.leanvibe.run': runId,
    'dev.leanvibe.task': taskId,
    'dev.leanvibe.attempt': String(attempt),
    'dev.leanvibe.fence': String(fence),
  }
}

/** Whether the process that made it is alive. What cannot be read belongs to nobody. */
export function ownerLives(label: string | undefined): boolean {
  let owner: ContainerOwner
  try {
    owner = JSON.parse(label ?? '') as ContainerOwner
  } catch {
    return false
  }
  // Of processes elsewhere we cannot tell.
  if (owner.scope !== processScope()) return true
  const entry = systemProcessTable().find(owner.pid)
  return entry !== null && entry.start === owner.start && !entry.zombie
}
