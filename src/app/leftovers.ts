import { createGit } from '../foundation/platform/git/index.ts'
import { sweepLeftovers } from '../foundation/platform/processes/index.ts'
import { Workspaces } from '../orchestration/workspaces/index.ts'
import { dataLayoutOf } from './data-layout.ts'

export interface Leftovers {
  /** Folders of attempts whose process is gone. */
  readonly workspaces: readonly string[]
  /** Those that stay, with the processes that still use them. */
  readonly busy: readonly { readonly path: string; readonly processes: readonly number[] }[]
  /** Processes of dead runners that were ended (only by `cleanLeftovers`). */
  readonly ended: number
}

/** What crashes have left in a data folder. Changes nothing. */
export async function findLeftovers(folder: string): Promise<Leftovers> {
  const found = await workspacesIn(folder).findLeftovers()
  return {
    workspaces: found.filter(({ processes }) => processes.length === 0).map(({ path }) => path),
    busy: found.filter(({ processes }) => processes.length > 0),
    ended: 0,
  }
}

/** Ends processes of runners that are gone and removes their folders. What belongs to living ones is left alone. */
export async function cleanLeftovers(folder: string): Promise<Leftovers> {
  const { ended } = await sweepLeftovers(dataLayoutOf(folder).processes)
  const before = await findLeftovers(folder)
  const busy = await workspacesIn(folder).cleanLeftovers()
  return { workspaces: before.workspaces, busy, ended: ended.reduce((sum, { processes }) => sum + processes, 0) }
}

function workspacesIn(folder: string): Workspaces {
  return new Workspaces({ folder: dataLayoutOf(folder).workspaces, git: createGit() })
}
