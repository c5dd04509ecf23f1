import { readFiles } from '../kit/read-repository.ts'
import { listTree } from '../repo-checkup/git/list-tree.ts'
import { showBytes } from '../repo-checkup/git/path-name.ts'
import { runProgram, type Step } from '../repo-checkup/program.ts'
import { type Finding, plural } from '../repo-checkup/result.ts'
import { lineRules, type RiskyLine, riskyLines } from './line-rules.ts'

export interface FilesFacts {
  readonly files: number
  readonly read: number
  readonly dangerous: Readonly<Record<string, readonly string[]>>
  /** By rule. */
  readonly lines: Readonly<Record<string, number>>
}

/** Files whose being there says something, by name or mode alone. */
const kinds: readonly {
  readonly id: string
  readonly score: number
  readonly title: string
  readonly why: string
  readonly next: string
  readonly test: (path: string, mode: string) => boolean
}[] = [
  {
    id: 'keys',
    score: 90,
    title: 'Private keys and stores of keys',
    why: 'Whoever can read the repository has them, now and in every clone.',
    next: 'Revoke them, take them out of the history, and refer to them by name.',
    test: (path) => /(^|\/)(id_(rsa|dsa|ecdsa|ed25519)|.*\.(p12|pfx|jks|keystore|ppk|kdbx))$/i.test(path),
  },
  {
    id: 'environment',
    score: 70,
    title: 'Files of settings that usually hold secrets',
    why: 'What is in them is in every clone; the next person puts a secret there.',
    next: 'Keep an example with empty values, and ignore the real one.',
    test: (path) =>
      /(^|\/)(\.env(\.(local|production|prod|staging))?|\.npmrc|\.pypirc|\.netrc|\.pgpass|\.htpasswd|credentials(\.json)?|service-account.*\.json|terraform\.tfstate(\.backup)?|\.aws\/credentials|\.docker\/config\.json)$/i.test(
        path,
      ),
  },
  {
    id: 'dumps',
    score: 60,
    title: 'Dumps of databases and of memory',
    why: 'They hold what people entrusted to the system.',
    next: 'Take them out of the history, and keep them where access is checked.',
    test: (path) =>
      /\.(sqlite3?|db|dump|bak|hprof|core|mdb)$/i.test(path) &&
      !/(^|\/)(test|tests|fixtures?|testdata|examples?)\//i.test(path),
  },
  {
    id: 'binaries',
    score: 35,
    title: 'Programs in binary form',
    why: 'Nobody can review them, and they are run.',
    next: 'Build them from source, or fetch them with a digest that is checked.',
    test: (path) => /\.(exe|dll|so(\.\d+)*|dylib|jar|war|class|pyc|node|msi|dmg|apk)$/i.test(path),
  },
  {
    id: 'executable',
    score: 20,
    title: 'Data that may be executed',
    why: 'A document that can be run will be run one day.',
    next: 'git update-index --chmod=-x FILE',
    test: (path, mode) =>
      mode === '100755' && /\.(md|txt|json|ya?ml|png|jpe?g|gif|svg|css|html?|csv|lock|toml|xml|pdf)$/i.test(path),
  },
  {
    id: 'names',
    score: 40,
    title: 'Names made to deceive',
    why: 'Control characters and reversed text show another name than the one that is used.',
    next: 'Rename them.',
    test: (path) =>
      /[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069]|\\[0-7]{3}|\\x(0|1)|\\u\{?20[0-6]/.test(path),
  },
]

export const files: Step<FilesFacts> = {
  name: 'files',
  about: 'Files that should not be in a repository, modes and links that surprise, and risky lines of code.',
  async run(context) {
    const { repository, commit, signal, progress } = context
    const dangerous: Record<string, string[]> = {}
    const links: { path: string; oid: string }[] = []
    let count = 0
    for await (const entry of listTree(repository, commit, { signal })) {
      if (entry.type !== 'blob') continue
      count += 1
      const path = showBytes(entry.path)
      if (entry.mode === '120000') links.push({ path, oid: entry.oid })
      const raw = Buffer.from(entry.path, 'latin1').toString('utf8')
      for (const { id, test } of kinds)
        if (test(id === 'names' ? raw : path, entry.mode)) dangerous[id] = [...(dangerous[id] ?? []), path]
    }
    const outside = await linksOutside(context, links)
    if (outside.length > 0) dangerous.links = outside
    progress(`${count} files`)
    const { files: texts, limits } = await readFiles(
      context,
      (path, { role }) => (role === 'source' || role === 'test') && lineRules.some((rule) => rule.files.test(path)),
      { fileBytes: 1_000_000, totalBytes: 200_000_000 },
    )
    const found = texts.flatMap(({ path, text }) => riskyLines(path, text))
    const findings = [...fileFindings(dangerous), ...lineFindings(found)]
    const lines = Object.fromEntries(lineRules.map(({ id }) => [id, found.filter(({ rule }) => rule.id === id).length]))
    const kept = Object.fromEntries(Object.entries(dangerous).map(([id, paths]) => [id, paths.slice(0, 30)]))
    return {
      facts: { files: count, read: texts.length, dangerous: kept, lines },
      findings,
      limits: ['Lines are found by their look: what is harmless there, a person has to say.', ...limits],
    }
  },
}

async function linksOutside(
  { repository, signal }: Parameters<typeof files.run>[0],
  links: readonly { path: string; oid: string }[],
): Promise<string[]> {
  const outside: string[] = []
  for (const { path, oid } of links.slice(0, 200)) {
    const chunks: Buffer[] = []
    for await (const chunk of repository.stream(['cat-file', 'blob', oid], { signal })) chunks.push(chunk)
    const target = Buffer.concat(chunks).toString('utf8')
    const up = target.split('/').filter((part) => part === '..').length
    if (target.startsWith('/') || up > path.split('/').length - 1)
      outside.push(`${path} -> ${showBytes(Buffer.from(target).toString('latin1')).slice(0, 120)}`)
  }
  return outside
}

function fileFindings(dangerous: Readonly<Record<string, readonly string[]>>): Finding[] {
  const link = {
    id: 'links',
    score: 45,
    title: 'Links that lead out of the repository',
    why: 'Programs that follow them read or write what is not theirs to touch.',
    next: 'Replace them by files, or by links inside.',
  }
  return [...kinds, link].flatMap(({ id, score, title, why, next }) => {
    const paths = dangerous[id] ?? []
    return paths.length === 0
      ? []
      : [
          {
            id: `files/${id}`,
            score,
            title: `${title}: ${plural(paths.length, 'file')}`,
            why,
            next,
            evidence: paths.slice(0, 10),
          },
        ]
  })
}

function lineFindings(found: readonly RiskyLine[]): Finding[] {
  return lineRules.flatMap(({ id, score, title, why, next }) => {
    const here = found.filter(({ rule }) => rule.id === id)
    if (here.length === 0) return []
    // What stands in tests is worth less than what is shipped.
    const shipped = here.filter(
      ({ path }) => !/(^|\/)(tests?|spec|__tests__|bench|examples?|fixtures?)\/|[._](test|spec)\./i.test(path),
    )
    const told = [...shipped, ...here.filter((one) => !shipped.includes(one))]
    const many = plural(here.length, 'line')
    return [
      {
        id: `files/${id}`,
        score: shipped.length === 0 ? Math.min(score, 15) : score,
        title: `${many}: ${title}${shipped.length === 0 ? ' (in tests alone)' : ''}`,
        why,
        next,
        evidence: told.slice(0, 10).map(({ path, line }) => `${path}:${line}`),
      },
    ]
  })
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(files, argv)

if (import.meta.main) await main(process.argv.slice(2))
