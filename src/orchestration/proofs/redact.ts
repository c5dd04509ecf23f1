import { secretPatterns } from '../gates/secret-patterns-contract.ts'

/**
 * Text without what looks like a secret. Secrets that attempts were given are masked where they are known; this is for those
 * that nobody knew of, such as a key that an agent has made up or found.
 */
export function redact(text: string): string {
  return secretPatterns.reduce(
    (rest, { name, pattern }) =>
      rest.replaceAll(new RegExp(pattern.source, `${pattern.flags}g`), `[redacted: ${name}]`),
    text,
  )
}
