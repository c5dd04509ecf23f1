import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** How a data folder is called where nobody says otherwise. */
const usualName = '.leanvibe'
/** Each start of a confined process looks, so there is an end to it: levels below a folder, and folders looked into for each. */
const deepest = 4
const mostLookedInto = 1_000
/** No project of its own lies in these, and they hold thousands of folders. */
const passedOver = new Set([usualName, 'node_modules', '.git'])

/**
 * The data folders of this and of other projects that lie in folders, or up to four levels below: keys, logs and the
 * database are in them, and whoever shows a folder of projects to agents does not mean those. Of very many folders the
 * nearest are looked at. Links are not followed, but for one that is itself called as a data folder.
 */
export function dataFoldersBelow(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) => {
    const found: string[] = []
    let left = mostLookedInto
    for (let level: readonly string[] = [folder], depth = 0; level.length > 0 && depth <= deepest; depth++) {
      const within = level.slice(0, left)
      left -= within.length
      level = within.flatMap((each) => {
        const names = childrenOf(each)
        if (names.includes(usualName)) found.push(join(each, usualName))
        return names.filter((name) => !passedOver.has(name)).map((name) => join(each, name))
      })
    }
    return found
  })
}

function childrenOf(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() || (entry.name === usualName && isFolder(join(folder, usualName))))
      .map(({ name }) => name)
  } catch {
    // What cannot be read, or is no folder, the work cannot look into either.
    return []
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
