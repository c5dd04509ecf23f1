import { isAppError } from '../foundation/kernel/errors.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { createGit, type Git } from '../foundation/platform/git/index.ts'
import { sweepLeftovers } from '../foundation/platform/processes/index.ts'
import { Workspaces } from '../orchestration/workspaces/index.ts'
import { sweepPlaces } from './agent-places.ts'
import { dataLayoutOf } from './data-layout.ts'

export interface Leftovers {
  /** Folders of attempts whose process is gone, and worktrees of them that a repository still registers. */
  readonly workspaces: readonly string[]
  /** Those that stay, with the processes that still use them. */
  readonly busy: readonly { readonly path: string; readonly processes: readonly number[] }[]
  /** Containers, Jobs and pods of processes that are gone. */
  readonly places: readonly string[]
  /** Processes of dead runners that were ended (only by `cleanLeftovers`). */
  readonly ended: number
}

/** What crashes have left in the data folder, in the repositories it knows and in that of the project. Changes nothing. */
export async function findLeftovers(loaded: LoadedConfig): Promise<Leftovers> {
  const { workspaces, repositories } = await placesOf(loaded)
  const found = await workspaces.findLeftovers(repositories)
  return {
    workspaces: found.filter(({ processes }) => processes.length === 0).map(({ path }) => path),
    busy: found.filter(({ processes }) => processes.length > 0),
    places: (await sweepPlaces(loaded, false)).names,
    ended: 0,
  }
}

/** Ends processes of runners that are gone and removes their folders. What belongs to living ones is left alone. */
export async function cleanLeftovers(loaded: LoadedConfig): Promise<Leftovers> {
  const { ended } = await sweepLeftovers(dataLayoutOf(loaded.config.dataFolder).processes)
  const before = await findLeftovers(loaded)
  const { workspaces, repositories } = await placesOf(loaded)
  const busy = await workspaces.cleanLeftovers(repositories)
  const { names: places } = await sweepPlaces(loaded, true)
  return {
    workspaces: before.workspaces,
    busy,
    places,
    ended: ended.reduce((sum, { processes }) => sum + processes, 0),
  }
}

/** Git as it is found on the search path of the user. */
export function configuredGit({ env }: Pick<LoadedConfig, 'env'>): Git {
  const searchPath = env.variable('PATH')
  return createGit(searchPath === undefined ? {} : { searchPath })
}

async function placesOf(loaded: LoadedConfig): Promise<{ workspaces: Workspaces; repositories: readonly string[] }> {
  const git = configuredGit(loaded)
  const { workspaces: folder, repositories: repositoriesFile } = dataLayoutOf(loaded.config.dataFolder)
  // The project's own repository may know of worktrees although its data folder was removed.
  const { root } = loaded.config.project
  const repositories = await git.inspect(root).then(
    () => [root],
    (error) => {
      if (!isAppError(error)) throw error
      return []
    },
  )
  return { workspaces: new Workspaces({ folder, git, repositoriesFile }), repositories }
}
