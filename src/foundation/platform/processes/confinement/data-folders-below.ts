import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** How a data folder is called where nobody says otherwise. */
const usualName = '.leanvibe'
const mostLookedAt = 1_000

/**
 * The data folders of this and of other projects that lie in folders, or in folders right below them: keys, logs and the
 * database are in them, and whoever shows a folder of projects to agents does not mean those.
 */
export function dataFoldersBelow(folders: readonly string[]): readonly string[] {
  return folders
    .flatMap((folder) => [folder, ...childrenOf(folder)])
    .flatMap((folder) => {
      const path = join(folder, usualName)
      return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? [path] : []
    })
}

function childrenOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .slice(0, mostLookedAt)
      .map(({ name }) => join(folder, name))
  } catch {
    // What cannot be read, or is no folder, the work cannot look into either.
    return []
  }
}
