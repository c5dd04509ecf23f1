import { shannonEntropy } from './entropy.ts'
import { knownPrefix, type SecretRule, secretRules, suspiciousName } from './secret-rules.ts'

export interface SecretMatch {
  readonly rule: SecretRule
  /** Never the secret: its first characters where they only name the service, and its length. */
  readonly masked: string
  /** Tells equal secrets apart within one process; never printed. */
  readonly value: string
  readonly column: number
}

/** Of longer lines (data, minified code) the beginning is searched. */
const maxLine = 10_000
const placeholder =
  /example|sample|dummy|fake|changeme|change_me|placeholder|your[-_]|my[-_]?(secret|pass|key|token)|xxxx|\.\.\.|redacted|todo|insert|replace|1234567|abcdef|qwerty|deadbeef|foobar|test|\bnull\b|undefined|password|secret|localhost|process\.env|os\.environ|getenv|<[a-z]|\$\{|\{\{|%\(|%s|#\{/i
/** Specific shapes are random by construction, so words inside are chance; only these mark an example. */
const exampleToken = /EXAMPLE|X{5,}|x{5,}|(.)\1{7,}|0123456789|1234567890|abcdefghij|ABCDEFGHIJ/

/**
 * What one line gives away. `following` is the text after it: the first line of a private key proves nothing without
 * the base64 that follows.
 */
export function findSecrets(line: string, following = ''): SecretMatch[] {
  if (line.length < 16) return []
  const text = line.length > maxLine ? line.slice(0, maxLine) : line
  if (!knownPrefix.test(text) && !suspiciousName.test(text)) return []
  const found: SecretMatch[] = []
  for (const rule of secretRules) {
    rule.pattern.lastIndex = 0
    for (const match of text.matchAll(rule.pattern)) {
      const value =
        rule.id === 'private-key'
          ? keyBody(text.slice(match.index + match[0].length) + following)
          : (match[1] ?? match[0])
      if (value === null || !isPlausible(rule, value)) continue
      if (found.some((other) => other.value.includes(value) || value.includes(other.value))) continue
      found.push({ rule, masked: maskSecret(rule, value), value, column: match.index + 1 })
    }
  }
  return found
}

function isPlausible(rule: SecretRule, value: string): boolean {
  if (rule.id === 'private-key') return true
  if (exampleToken.test(value)) return false
  if (rule.entropy !== undefined && shannonEntropy(value) < rule.entropy) return false
  if (rule.specific) return true
  if (placeholder.test(value)) return false
  return !rule.id.endsWith('-assignment') || looksRandom(value)
}

/** The first base64 of a key, perhaps after PEM headers, perhaps quoted and joined as in source code; null where there is none. */
function keyBody(text: string): string | null {
  const lead = /^(?:\\r|\\n|[\s"'+,;>|\\]|(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): ?[^\n]*\n){0,20}/.exec(
    text,
  )![0]
  return /^[A-Za-z0-9+/]{40}/.exec(text.slice(lead.length))?.[0] ?? null
}

/** Letters and digits mixed, as in keys; words, paths, identifiers and expressions are not. */
function looksRandom(value: string): boolean {
  if (/[\s()[\]{}<>,;|*]|^[./~$]|:\/\/|^[a-z]+([-_.:/][a-z]+)+$/i.test(value)) return false
  const digits = value.replace(/\D/g, '').length
  return digits >= 2 && /[A-Za-z]/.test(value) && !/^[a-z]+[A-Z]?[a-z]*\d{1,4}$/.test(value)
}

/** `ghp_… (40 characters)`. Shapes without a public prefix show nothing of the value. */
export function maskSecret(rule: SecretRule, value: string): string {
  if (rule.id === 'private-key') return '… (key block)'
  const prefix = rule.specific
    ? (/^(?:github_pat_|[A-Za-z]{2,8}[-_.](?:live_|v1_|ant-|proj-)?|AKIA|ASIA)/.exec(value)?.[0] ?? '')
    : ''
  return `${prefix}… (${value.length} characters)`
}
