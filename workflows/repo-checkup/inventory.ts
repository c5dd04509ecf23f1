import { showBytes } from './git/path-name.ts'
import {
  countLines,
  type HeadFile,
  listHeadFiles,
  maxTextBytes,
  noSkips,
  readTextFiles,
  type TextFile,
} from './head-files.ts'
import { inventoryFindings } from './inventory-findings.ts'
import { runProgram, type Step } from './program.ts'
import { plural } from './result.ts'
import type { FileRole } from './rules/file-roles.ts'
import type { LanguageUse } from './rules/languages.ts'
import { findProjectFiles, type ProjectFiles } from './rules/project-files.ts'

export interface Total {
  files: number
  lines: number
  bytes: number
}

export interface LanguageTotal extends Total {
  readonly language: string
  readonly use: LanguageUse
}

export interface InventoryFacts {
  /** Hand-written files by language, most lines first, at most 25. */
  readonly languages: readonly LanguageTotal[]
  readonly languagesLeftOut: number
  /** Binary, oversized (above 1 MB) and unread files count with 0 lines. */
  readonly roles: Readonly<Record<FileRole | Unread, Readonly<Total>>>
  /** Hand-written lines in programming languages, tests and examples included. */
  readonly codeLines: number
  readonly longFiles: {
    readonly count: number
    readonly top: readonly { readonly path: string; readonly lines: number; readonly language: string }[]
  }
  /** SPDX-License-Identifier headers in files, by identifier. */
  readonly spdxHeaders: Readonly<Record<string, number>>
  readonly caseCollisions: readonly (readonly [string, string])[]
  readonly projectFiles: ProjectFiles
  /** Folders called node_modules, venv and the like that are committed, with their number of files. */
  readonly committedPackages: readonly { readonly folder: string; readonly files: number }[]
}

type Unread = 'binary' | 'oversized' | 'unread'

/** A hand-written source file of so many lines is worth naming. */
export const longFileLines = 1500
const roleNames = [
  'source',
  'test',
  'example',
  'docs',
  'vendored',
  'generated',
  'lock',
  'binary',
  'oversized',
  'unread',
] as const

export const inventory: Step<InventoryFacts> = {
  name: 'inventory',
  about: 'Files, lines and bytes by language and by role (source, test, docs, vendored, generated).',
  async run({ repository, signal, expired, progress }) {
    const { files } = await listHeadFiles(repository, signal)
    const count = createCount()
    const skips = noSkips()
    const seen = new Set<string>()
    const limits = { maxFileBytes: maxTextBytes, maxTotalBytes: 1e9, expired, signal }
    for await (const file of readTextFiles(repository, files, limits, skips)) {
      progress(`${seen.size} of ${files.length} files`)
      seen.add(file.path)
      count.text(file)
    }
    const whole = skips.notReached === 0
    for (const file of files)
      if (!seen.has(file.path)) count.unread(file, file.size > maxTextBytes ? 'oversized' : whole ? 'binary' : 'unread')
    const paths = files.map((file) => file.path)
    const facts: InventoryFacts = {
      ...count.totals(),
      caseCollisions: findCaseCollisions(paths).slice(0, 10),
      projectFiles: findProjectFiles(paths),
      committedPackages: findCommittedPackages(paths),
    }
    return {
      facts,
      findings: inventoryFindings(facts),
      limits: whole
        ? []
        : [`Lines were not counted in ${plural(skips.notReached, 'file')}: the time or size limit was reached.`],
    }
  },
}

function createCount() {
  const roles = Object.fromEntries(roleNames.map((name) => [name, { files: 0, lines: 0, bytes: 0 }])) as Record<
    FileRole | Unread,
    Total
  >
  const languages = new Map<string, LanguageTotal>()
  const spdx = new Map<string, number>()
  const long: { path: string; lines: number; language: string }[] = []
  const add = (total: Total, lines: number, bytes: number) => {
    total.files += 1
    total.lines += lines
    total.bytes += bytes
  }
  return {
    text(file: TextFile) {
      const lines = countLines(file.text)
      add(roles[file.role], lines, file.size)
      const header = /SPDX-License-Identifier:[ \t]*([\w.+() -]{2,80}?)[ \t]*(?:\*\/|-->|\r?\n|$)/.exec(
        file.text.slice(0, 2000),
      )
      if (header !== null) spdx.set(header[1]!, (spdx.get(header[1]!) ?? 0) + 1)
      if (file.language === null || file.role === 'vendored' || file.role === 'generated' || file.role === 'lock')
        return
      const { name, use } = file.language
      const total = languages.get(name) ?? { language: name, use, files: 0, lines: 0, bytes: 0 }
      languages.set(name, total)
      add(total, lines, file.size)
      if (use === 'code' && file.role === 'source' && lines >= longFileLines)
        long.push({ path: showBytes(file.path), lines, language: name })
    },
    unread(file: HeadFile, why: Unread) {
      add(roles[why], 0, file.size)
    },
    totals() {
      const ranked = [...languages.values()].sort((a, b) => b.lines - a.lines || (a.language < b.language ? -1 : 1))
      long.sort((a, b) => b.lines - a.lines)
      return {
        languages: ranked.slice(0, 25),
        languagesLeftOut: Math.max(0, ranked.length - 25),
        roles,
        codeLines: ranked.filter((total) => total.use === 'code').reduce((sum, total) => sum + total.lines, 0),
        longFiles: { count: long.length, top: long.slice(0, 10) },
        spdxHeaders: Object.fromEntries([...spdx].sort((a, b) => b[1] - a[1]).slice(0, 10)),
      }
    },
  }
}

/** Pairs of paths that Linux keeps apart and the usual file systems of macOS and Windows do not. */
export function findCaseCollisions(paths: readonly string[]): [string, string][] {
  const byFolded = new Map<string, string>()
  const collisions: [string, string][] = []
  for (const path of paths) {
    const folded = path.toLowerCase()
    const other = byFolded.get(folded)
    if (other === undefined) byFolded.set(folded, path)
    else collisions.push([showBytes(other), showBytes(path)])
  }
  return collisions
}

function findCommittedPackages(paths: readonly string[]): { folder: string; files: number }[] {
  const folders = new Map<string, number>()
  for (const path of paths) {
    const match =
      /^(?:.*?\/)?(?:node_modules|bower_components|site-packages|\.?venv|__pycache__|\.gradle|\.terraform)(?=\/)/.exec(
        path,
      )
    if (match !== null) folders.set(match[0], (folders.get(match[0]) ?? 0) + 1)
  }
  return [...folders]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 10)
    .map(([folder, files]) => ({ folder: showBytes(folder), files }))
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(inventory, argv)

if (import.meta.main) await main(process.argv.slice(2))
