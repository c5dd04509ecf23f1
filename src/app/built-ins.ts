import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { packageFolder } from './package-info.ts'

/** The personas that come with the program. */
export const builtInPersonas = join(packageFolder, 'personas')

/** A workflow that can be started by its name without having been stored. */
export interface DefinitionFile {
  readonly name: string
  readonly origin: 'built-in' | 'project'
  /** Absolute path. */
  readonly file: string
  readonly text: string
}

export interface DefinitionFiles {
  list(): Promise<readonly DefinitionFile[]>
  find(name: string): Promise<DefinitionFile | null>
}

const yamlName = /^([a-z0-9][a-z0-9_-]*)\.ya?ml$/

/**
 * The definition files of a project, before those that come with the program: a project may replace a built-in by its
 * name. A file `NAME.yaml`, or `NAME/workflow.yaml`, is the workflow NAME.
 */
export function createDefinitionFiles(
  projectFolder: string,
  builtInFolder: string = join(packageFolder, 'workflows'),
): DefinitionFiles {
  /** Texts as they were last read: a file is read again when its time or its size is another. */
  const texts = new Map<string, { readonly stamp: string; readonly text: string }>()
  async function read(file: string): Promise<string> {
    const { mtimeMs, ctimeMs, size, ino } = await stat(file)
    const stamp = `${mtimeMs} ${ctimeMs} ${size} ${ino}`
    const known = texts.get(file)
    if (known?.stamp === stamp) return known.text
    const text = await readFile(file, 'utf8')
    // What was written within this moment may be written again within it: clocks of files are coarse.
    if (Date.now() - mtimeMs > 1_000) texts.set(file, { stamp, text })
    return text
  }

  async function list(): Promise<readonly DefinitionFile[]> {
    const found = new Map<string, DefinitionFile>()
    // In a checkout of the program itself the two folders are one.
    for (const [folder, origin] of [
      [builtInFolder, 'built-in'],
      [projectFolder, 'project'],
    ] as const) {
      if (origin === 'project' && projectFolder === builtInFolder) continue
      for (const { name, file } of await namesIn(folder)) {
        found.set(name, { name, origin, file, text: await read(file) })
      }
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }
  return { list, find: async (name) => (await list()).find((file) => file.name === name) ?? null }
}

async function namesIn(folder: string): Promise<{ name: string; file: string }[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
  const found: { name: string; file: string }[] = []
  for (const entry of entries) {
    const match = yamlName.exec(entry.name)
    if (entry.isFile() && match !== null) found.push({ name: match[1]!, file: join(folder, entry.name) })
    if (!entry.isDirectory()) continue
    const inner = await readdir(join(folder, entry.name))
    const main = inner.find((name) => name === 'workflow.yaml' || name === 'workflow.yml')
    if (main !== undefined) found.push({ name: basename(entry.name), file: join(folder, entry.name, main) })
  }
  return found
}
