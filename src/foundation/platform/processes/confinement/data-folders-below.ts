import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** How a data folder is called where nobody says otherwise. */
const usualName = '.leanvibe'
/** Each start of a confined process looks, so there is an end to it: levels below a folder, folders looked at, folders listed. */
const deepest = 4
const mostLookedAt = 1_000
const mostListed = 200
/** No project of its own lies in these, and they hold thousands of folders. */
const passedOver = new Set([usualName, 'node_modules', '.git'])
/** Many processes that start together are shown the same folders. */
const rememberMs = 5_000

const known = new Map<string, { readonly until: number; readonly found: readonly string[] }>()

/**
 * The data folders of this and of other projects that lie in folders, or up to four levels below: keys, logs and the
 * database are in them, and whoever shows a folder of projects to agents does not mean those. Of very many folders the
 * nearest are looked at. Links are not followed, but for one that is itself called as a data folder. What was found is
 * remembered for five seconds.
 */
export function dataFoldersBelow(folders: readonly string[]): readonly string[] {
  const now = performance.now()
  for (const [folder, { until }] of known) if (until <= now) known.delete(folder)
  return folders.flatMap((folder) => {
    const found = known.get(folder)?.found ?? searchBelow(folder)
    if (!known.has(folder)) known.set(folder, { until: now + rememberMs, found })
    return found
  })
}

/** Level by level. */
function searchBelow(folder: string): readonly string[] {
  const found: string[] = []
  let toLookAt = mostLookedAt
  let toList = mostListed
  for (let level: readonly string[] = [folder], depth = 0; level.length > 0 && depth <= deepest; depth++) {
    const within = level.slice(0, toLookAt)
    toLookAt -= within.length
    found.push(...within.map((each) => join(each, usualName)).filter(isFolder))
    const listed = depth === deepest ? [] : within.slice(0, toList)
    toList -= listed.length
    level = listed.flatMap(foldersIn)
  }
  return found
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !passedOver.has(entry.name))
      .map(({ name }) => join(folder, name))
  } catch {
    // What cannot be read, or is no folder, the work cannot look into either.
    return []
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    return false // below a file, or not to be read
  }
}
