import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pythonTests, type TopFolder } from './detect-checks.ts'

const largestManifest = 4 * 1_048_576
const manifests =
  /^(package\.json|pyproject\.toml|setup\.cfg|tox\.ini|pom\.xml|build\.gradle(\.kts)?|requirements.*\.txt|(GNU)?[Mm]akefile)$/

/** What lies in a folder of a repository, as far as it says which tools it uses. Links are not followed: they may lead out. */
export async function readFolder(root: string, folder: string, top?: ReadonlySet<string>): Promise<TopFolder> {
  const path = join(root, folder)
  const names = new Set(await readdir(path))
  const texts = new Map<string, string>()
  for (const name of names) {
    if (!manifests.test(name)) continue
    const found = await lstat(join(path, name))
    if (found.isFile() && found.size <= largestManifest) texts.set(name, await readFile(join(path, name), 'utf8'))
  }
  for (const name of pythonTests) {
    const found = await lstat(join(path, name)).catch(() => null)
    if (found?.isFile()) names.add(name)
  }
  return { names, read: (name) => texts.get(name) ?? null, ...(top === undefined ? {} : { top }) }
}

/** Of some folders those that hold one of these names. Folders that are gone hold nothing. */
export async function foldersWith(
  root: string,
  folders: readonly string[],
  wanted: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const folder of folders) {
    const isFolder = await lstat(join(root, folder)).then(
      (each) => each.isDirectory(),
      () => false,
    )
    if (isFolder && (await readdir(join(root, folder))).some((name) => wanted.has(name))) found.add(folder)
  }
  return found
}
