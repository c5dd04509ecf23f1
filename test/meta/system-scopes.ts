import type { SourceFile } from './source-tree.ts'

export interface SystemScope {
  readonly reason: string
  readonly path: string
}

/** Every call of `asSystem` with the reason it gives; `${}` parts of a reason are kept as they are written. */
export function findSystemScopes(files: readonly SourceFile[]): SystemScope[] {
  const scopes = files.flatMap((file) =>
    [...file.text.matchAll(/\.asSystem\(\s*([^)]*?)\s*\)/g)].map((match) => ({
      reason: reasonIn(match[1]!),
      path: file.path,
    })),
  )
  const unique = new Map(scopes.map((scope) => [`${scope.reason} ${scope.path}`, scope]))
  return [...unique.values()].sort((a, b) => (`${a.reason} ${a.path}` < `${b.reason} ${b.path}` ? -1 : 1))
}

/** The words of a literal reason; the raw expression where it is none, which the test then refuses. */
function reasonIn(argument: string): string {
  return /^(['"`])(.*)\1$/.exec(argument)?.[2] ?? `not a literal: ${argument}`
}
