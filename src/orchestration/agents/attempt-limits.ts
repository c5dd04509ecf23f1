import { folderBytes, type LimitBreach, watchDisk } from '../../foundation/platform/processes/index.ts'
import type { Assignment, ResourceUsage } from '../runners/exchange-contract.ts'
import type { AttemptContext } from './agent-adapter.ts'

/** What the step allows at most; null: it does not say. */
export function limitsOf({ spec }: Assignment) {
  return ('resources' in spec ? spec.resources.limits : undefined) ?? null
}

/** Ends with the signal. */
export async function watchFolders(
  limitBytes: number | undefined,
  { workdir, outdir, tempdir }: AttemptContext,
  signal: AbortSignal,
  onBreach: (breach: LimitBreach) => void,
): Promise<void> {
  if (limitBytes !== undefined) await watchDisk({ folders: [workdir, outdir, tempdir], limitBytes, onBreach, signal })
}

/** Of folders with more entries than this it is not told what they take up: to look would take too long. */
const mostEntries = 2_000

/** Adds what was written. Not where the folder was full of a repository before. */
export async function withDisk(
  usage: ResourceUsage,
  { spec }: Assignment,
  { workdir, outdir, tempdir }: AttemptContext,
): Promise<ResourceUsage> {
  if (!('workspace' in spec) || spec.workspace !== 'none') return usage
  const diskBytes = await folderBytes([workdir, outdir, tempdir], mostEntries)
  return diskBytes === null ? usage : { ...usage, diskBytes }
}

export function breachText({ resource, used, limit }: LimitBreach): string {
  if (resource === 'network') {
    const megabits = (bytes: number) => ((bytes * 8) / 1_000_000).toFixed(1)
    return `it went on using ${megabits(used)} Mbit/s of the network, ${megabits(limit)} are allowed`
  }
  if (resource === 'cpu') return `it went on using ${used.toFixed(1)} cores, ${limit} are allowed`
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MB`
  const verb = resource === 'memory' ? 'it used' : 'it wrote'
  return `${verb} ${megabytes(used)} of ${resource}, ${megabytes(limit)} are allowed`
}
