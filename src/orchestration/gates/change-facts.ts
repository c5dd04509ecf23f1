import type { Risk } from './checks-contract.ts'

export interface ChangedFile {
  readonly path: string
  /** Null for binary files. */
  readonly added: number | null
  readonly removed: number | null
}

/** `git diff-tree -r -z --numstat --no-renames`: added, removed and path of each file. */
export function parseNumstat(text: string): readonly ChangedFile[] {
  return text.split('\0').flatMap((record) => {
    const match = /^(\d+|-)\t(\d+|-)\t([\s\S]+)$/.exec(record)
    if (match === null) return []
    const count = (cell: string | undefined) => (cell === '-' ? null : Number(cell))
    return [{ path: match[3]!, added: count(match[1]), removed: count(match[2]) }]
  })
}

/** Files that nobody writes or reads by hand. */
const generated =
  /(^|\/)(package-lock\.json|pnpm-lock\.yaml|yarn\.lock|Cargo\.lock|go\.sum|poetry\.lock|uv\.lock|composer\.lock|Gemfile\.lock)$|(^|\/)(node_modules|vendor|dist|build|third_party|__snapshots__)\/|\.(min\.js|min\.css|map|snap|svg|pb\.go)$|_pb2\.py$/

/** Lines added and removed that somebody has to read. */
export function sizeOf(files: readonly ChangedFile[]): number {
  return files
    .filter(({ path }) => !generated.test(path))
    .reduce((sum, { added, removed }) => sum + (added ?? 0) + (removed ?? 0), 0)
}

const signs: readonly (readonly [Risk, RegExp])[] = [
  [
    'security',
    /(^|[/_.-])(auth|authn|authz|login|password|secret|token|crypto|tls|cert|permission|acl|rbac|session|sandbox)/i,
  ],
  [
    'critical_path',
    /(^|\/)(migrations?|deploy|\.github|\.gitlab-ci\.yml|Dockerfile|terraform|helm|k8s|kubernetes)(\/|$|\.)/i,
  ],
  [
    'architecture',
    /(^|\/)(package\.json|pyproject\.toml|Cargo\.toml|go\.mod|pom\.xml|tsconfig[^/]*\.json|ARCHITECTURE\.md|.*\.proto|schema\.sql|openapi\.(json|ya?ml))$/i,
  ],
  ['performance', /(^|[/_.-])(bench|benchmarks?|perf|cache|index(es|ing)|pool|hot)([/_.-]|$)/i],
  ['customer_facing', /(^|\/)(public|www|web|ui|frontend|pages|views|templates|locales?|i18n|api)\//i],
]

/** Folders that a change has to cross to be one of architecture. */
const manyFolders = 8

/** What a change puts at stake, by the files it touches. */
export function risksOf(files: readonly ChangedFile[]): readonly Risk[] {
  const found = new Set(signs.filter(([, sign]) => files.some(({ path }) => sign.test(path))).map(([risk]) => risk))
  const folders = new Set(files.map(({ path }) => path.split('/').slice(0, -1).join('/')))
  if (folders.size >= manyFolders) found.add('architecture')
  return [...found].sort()
}
