import { secretPatterns } from './secret-patterns-contract.ts'

export interface Finding {
  readonly path: string
  readonly line: number
  readonly rule: string
  /** What was found, with the secret itself left out. */
  readonly text: string
}

interface Rule {
  readonly name: string
  readonly pattern: RegExp
  /** Only files whose path matches. Default: all. */
  readonly files?: RegExp
}

const rules: readonly Rule[] = [
  ...secretPatterns.filter(({ name }) => name !== 'private key'),
  // A line of a diff holds the beginning alone.
  { name: 'private key', pattern: /-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY/ },
  {
    name: 'secret in clear',
    pattern: /\b(?:api[_-]?key|secret|passw(?:or)?d|token)["']?\s*[:=]\s*["'][A-Za-z0-9+/_.-]{20,}["']/i,
  },
  { name: 'shell from Python', pattern: /\bsubprocess\.\w+\([^)]*shell\s*=\s*True|\bos\.system\(/, files: /\.py$/ },
  { name: 'evaluated text', pattern: /(?<![\w.])eval\(|\bnew Function\(/, files: /\.([cm]?[jt]sx?|py)$/ },
  { name: 'unsafe deserialisation', pattern: /\bpickle\.loads?\(|\byaml\.load\((?![^)]*Safe)/, files: /\.py$/ },
  {
    name: 'certificates not checked',
    pattern: /rejectUnauthorized\s*:\s*false|verify\s*=\s*False|InsecureSkipVerify:\s*true/,
  },
  { name: 'piped into a shell', pattern: /\bcurl\b[^|\n]*\|\s*(?:sudo\s+)?(?:ba)?sh\b/ },
]

/** The names of all rules. */
export const whatIsLookedFor: readonly string[] = [...new Set(rules.map(({ name }) => name))]

const mostFindings = 200

/** Looks through the lines that a unified diff adds. What was there before is not held against it. */
export function findingsIn(diff: string): readonly Finding[] {
  const found: Finding[] = []
  let path = ''
  let line = 0
  for (const text of diff.split('\n')) {
    if (text.startsWith('+++ ')) {
      path = text.slice(4).replace(/^b\//, '')
      continue
    }
    const hunk = /^@@ -\d+(?:,\d+)? \+(\d+)/.exec(text)
    if (hunk !== null) line = Number(hunk[1]) - 1
    else if (text.startsWith('+')) {
      line += 1
      const rule = rules.find(({ pattern, files }) => (files?.test(path) ?? true) && pattern.test(text.slice(1, 4_000)))
      if (rule !== undefined) found.push({ path, line, rule: rule.name, text: `${path}:${line}: ${rule.name}` })
      if (found.length >= mostFindings) break
    } else if (text.startsWith(' ')) line += 1
  }
  return found
}
