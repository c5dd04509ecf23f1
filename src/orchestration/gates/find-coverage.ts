import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { coverageOfReport, moduleReports, percentOf, sumOfJacoco, usualReports } from './read-coverage.ts'

const largestReport = 64 * 1_048_576
/** Modules lie no deeper by custom. */
const deepest = 3
const noModules = new Set(['node_modules', 'target', 'build', 'src'])

/**
 * Percent of lines covered, by the first report of a folder that tells it; or by those of its modules, added up. A report
 * counts if it was written since `from`, in epoch milliseconds: what was committed may be of long ago. Null: none tells.
 * @param name the report, where it is not one of the usual ones
 */
export async function findCoverage(folder: string, name: string | null, from: number): Promise<number | null> {
  for (const each of name === null ? usualReports : [name]) {
    const text = await freshText(join(folder, each), from)
    const percent = text === null ? null : coverageOfReport(each, text)
    if (percent !== null) return percent
  }
  return name === null ? ofModules(folder, from) : null
}

async function ofModules(folder: string, from: number): Promise<number | null> {
  const modules = await modulesBelow(folder, deepest)
  for (const report of moduleReports) {
    const texts = await Promise.all(modules.map((module) => freshText(join(module, report), from)))
    const percent = percentOf(sumOfJacoco(texts.filter((text) => text !== null)))
    if (percent !== null) return percent
  }
  return null
}

/** Folders that may be modules. Links are not followed: they may lead out. */
async function modulesBelow(folder: string, depth: number): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const own = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !noModules.has(entry.name))
    .map((entry) => join(folder, entry.name))
  if (depth === 1) return own
  const deeper: string[] = []
  for (const each of own) deeper.push(...(await modulesBelow(each, depth - 1)))
  return [...own, ...deeper]
}

async function freshText(path: string, from: number): Promise<string | null> {
  const found = await lstat(path).catch(() => null)
  // Clocks of file systems are coarse.
  if (found === null || !found.isFile() || found.size > largestReport || found.mtimeMs < from - 2_000) return null
  return readFile(path, 'utf8')
}
