import type { Path, ProblemLog } from './problem.ts'
import { hasExpression } from './template.ts'

const advice = '${{ secrets.NAME }}'

/** Texts that are credentials whatever stands around them. */
const shapes: readonly (readonly [RegExp, string])[] = [
  [/\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}/, 'a GitHub token'],
  [/\bglpat-[A-Za-z0-9_-]{20,}/, 'a GitLab token'],
  [/\bsk-(?:ant-|proj-|live-)?[A-Za-z0-9_-]{20,}/, 'an API key'],
  [/\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/, 'a Stripe key'],
  [/\bxox[abposr]-[A-Za-z0-9-]{10,}/, 'a Slack token'],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/, 'an AWS access key'],
  [/\bAIza[A-Za-z0-9_-]{35}\b/, 'a Google API key'],
  [/\bnpm_[A-Za-z0-9]{36}\b/, 'an npm token'],
  [/\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}/, 'a signed token (JWT)'],
  [/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/, 'a private key'],
  [/\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@${}]{1,100}:[^\s/@${}]{3,200}@/i, 'a password in a URL'],
]

const secretName =
  /(?:^|[_.-])(?:pass(?:word|wd|phrase)?|pwd|secrets?|(?:api|access|auth|private|signing|client)[_-]?(?:key|token|secret)|apikey|tokens?|credentials?)$/i

/** Finds credentials that are written out in a definition: by their shape anywhere, by the name of their key, and by disorder in env. */
export function findSecretsInClear(value: unknown, log: ProblemLog): void {
  visit(value, [], log)
}

function visit(value: unknown, path: Path, log: ProblemLog): void {
  if (typeof value === 'string') {
    checkText(value, path, log)
    return
  }
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) for (const [index, inner] of value.entries()) visit(inner, [...path, index], log)
  else for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key], log)
}

function checkText(text: string, path: Path, log: ProblemLog): void {
  for (const [shape, what] of shapes) {
    const found = shape.exec(text)
    if (found !== null) {
      log.report(path, `${what} is written out`, { snippet: found[0], offset: 0, expected: advice })
      return
    }
  }
  if (hasExpression(text) || text.trim() === '') return
  const name = nameOf(path)
  if (name === null) return
  if (secretName.test(name) && !/^(?:true|false|\d{1,4})$/.test(text.trim())) {
    log.report(path, `the value of ${name} is written out`, { expected: advice })
  } else if (looksRandom(text)) {
    log.report(path, `the value of ${name} looks like a credential`, { expected: `${advice}, if it is one` })
  }
}

/** The name a value goes by, in the places where a credential could stand: env, config, inputs of sub-runs, defaults of inputs. */
function nameOf(path: Path): string | null {
  const [last, parent] = [path.at(-1), path.at(-2)]
  if (typeof last !== 'string') return null
  if (parent === 'env' || parent === 'config') return last
  if (parent === 'inputs' && path.length > 2) return last
  if (last === 'default' && path.at(-3) === 'inputs' && typeof parent === 'string') return parent
  return null
}

/** One long word of mixed letters and digits without any order. Hexadecimal (commits, digests), UUIDs and paths are let pass. */
function looksRandom(text: string): boolean {
  if (/^~?\/[A-Z]?[a-z]+\//.test(text)) return false
  if (!/^[A-Za-z0-9+/_=-]{24,200}$/.test(text) || /^[0-9a-fA-F-]+$/.test(text)) return false
  if (!/[a-z]/.test(text) || !/[A-Z]/.test(text) || !/\d/.test(text)) return false
  return entropy(text) >= 4.2
}

/** Shannon entropy in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}
