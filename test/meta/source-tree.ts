import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** One import of one file. `value` imports exist when the program runs, `type` imports only for the compiler. */
export interface Import {
  readonly specifier: string
  readonly kind: 'value' | 'type'
  readonly line: number
  /** Path from the root of the repository, or null for a package or built-in. */
  readonly target: string | null
}

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly imports: readonly Import[]
}

/** All TypeScript under `folder` but tests and what only tests use. */
export function listSources(folder: string): SourceFile[] {
  return listFiles(folder)
    .filter((path) => path.endsWith('.ts') && !isTest(path))
    .map(readSource)
}

export function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

export function isTest(path: string): boolean {
  return /[.-](test|fixture|suite)\.ts$/.test(path) || path.startsWith('test/')
}

export function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, text, imports: readImports(path, text) }
}

const patterns: readonly (readonly [pattern: RegExp, kind: 'value' | 'type' | 'clause'])[] = [
  [/^import\s+(type\s+)?(?:[\w$]+\s*,?\s*)?(?:\{[^}]*\}\s*|\*\s*as\s+[\w$]+\s*)?from\s*['"]([^'"]+)['"]/gm, 'clause'],
  [/^export\s+(type\s+)?(?:\{[^}]*\}|\*(?:\s*as\s+[\w$]+)?)\s*from\s*['"]([^'"]+)['"]/gm, 'clause'],
  [/^import\s*()['"]([^'"]+)['"]/gm, 'value'],
  [/\bimport\(\s*()['"]([^'"]+)['"]/g, 'value'],
  [/\bnew URL\(\s*()['"](\.[^'"]+\.ts)['"],\s*import\.meta\.url/g, 'value'],
]

export function readImports(path: string, text: string): Import[] {
  return patterns.flatMap(([pattern, kind]) =>
    [...text.matchAll(pattern)].map((match) => {
      const specifier = match[2]!
      return {
        specifier,
        kind: kind === 'clause' ? (match[1] ? 'type' : 'value') : kind,
        line: text.slice(0, match.index).split('\n').length,
        target: specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : null,
      }
    }),
  )
}

/** `src/orchestration/runs` of any file below it; null for a file above the parts. */
export function partOf(path: string): string | null {
  const match =
    /^(src\/(?:foundation|orchestration|intelligence|external-api|security|observability|availability|enterprise)\/[^/]+)\//.exec(
      path,
    )
  return match?.[1] ?? /^(src\/[^/]+)\//.exec(path)?.[1] ?? null
}
