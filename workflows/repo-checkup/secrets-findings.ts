import { type Finding, plural } from './result.ts'
import type { Leak } from './rules/leaks.ts'
import type { SecretsFacts } from './secrets.ts'

const place = ({ path, line, what, masked }: Leak) => `${path}:${line}: ${what} ${masked}`

export function leakFindings({ leaks, counts, sensitiveFiles }: SecretsFacts): Finding[] {
  const findings: Finding[] = []
  const likely = leaks.filter((leak) => leak.confidence === 'likely')
  const possible = leaks.filter((leak) => leak.confidence === 'possible')
  if (likely.length > 0) {
    findings.push({
      id: 'secrets/likely',
      score: 97,
      title: `${plural(counts.likely, 'likely secret')} in the present files`,
      why: 'Everyone who can read the repository, now or later, can use them; bots find such tokens within minutes of a push.',
      next: 'Revoke each at its service first, then move it to a secret store. Deleting the line is not enough: it stays in the history.',
      evidence: likely.slice(0, 10).map(place),
    })
  }
  if (possible.length > 0) {
    findings.push({
      id: 'secrets/possible',
      score: Math.min(64, 46 + possible.length),
      title: `${plural(counts.possible, 'value')} in the present files may be passwords or keys`,
      why: 'They are assigned to names like password or secret, or carry credentials in an address, and look random.',
      next: 'Check each by hand: revoke and move what is real; rename or mark what is a placeholder, so that the next scan is quiet.',
      evidence: possible.slice(0, 10).map(place),
    })
  }
  if (sensitiveFiles.length > 0) {
    findings.push({
      id: 'secrets/files',
      score: 56,
      title: `${plural(sensitiveFiles.length, 'file')} of a kind that rarely belongs into a repository`,
      why: 'Files of these names usually hold credentials or customer data.',
      next: 'Open each; if it is real, rotate what it holds and remove it with its history; if it is a template, call it `.example`.',
      evidence: sensitiveFiles.slice(0, 10).map(({ path, what }) => `${path}: ${what}`),
    })
  }
  return findings
}
