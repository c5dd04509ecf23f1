import { createHash } from 'node:crypto'
import { access } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

export const configFileName = 'leanvibe.yaml'

export interface Project {
  readonly root: string
  /** leanvibe.yaml, where there is one. */
  readonly configFile: string | null
}

/** The nearest folder, from `cwd` upwards, with a leanvibe.yaml or a git repository; else `cwd` itself. */
export async function findProject(cwd: string): Promise<Project> {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const configFile = join(folder, configFileName)
    if (await exists(configFile)) return { root: folder, configFile }
    if (await exists(join(folder, '.git'))) return { root: folder, configFile: null }
    if (dirname(folder) === folder) return { root: resolve(cwd), configFile: null }
  }
}

/** Where a project's state lies under a common folder: readable by its name, unique by its path. */
export function folderUnder(home: string, root: string): string {
  const mark = createHash('sha256').update(root).digest('hex').slice(0, 8)
  return join(home, `${basename(root) || 'root'}-${mark}`)
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
