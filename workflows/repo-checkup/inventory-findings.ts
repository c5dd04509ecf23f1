import type { InventoryFacts } from './inventory.ts'
import { type Finding, plural } from './result.ts'

export function inventoryFindings(facts: InventoryFacts): Finding[] {
  return [...collisions(facts), ...packages(facts), ...longFiles(facts), ...missingFiles(facts)]
}

function collisions({ caseCollisions }: InventoryFacts): Finding[] {
  if (caseCollisions.length === 0) return []
  return [
    {
      id: 'inventory/case-collision',
      score: 62,
      title: `${plural(caseCollisions.length, 'pair')} of paths differ only in upper and lower case`,
      why: 'On macOS and Windows one file of each pair silently overwrites the other at checkout, and git then shows changes nobody made.',
      next: 'Rename one of each pair with `git mv`.',
      evidence: caseCollisions.map(([a, b]) => `${a}  |  ${b}`),
    },
  ]
}

function packages({ committedPackages }: InventoryFacts): Finding[] {
  if (committedPackages.length === 0) return []
  const files = committedPackages.reduce((sum, folder) => sum + folder.files, 0)
  return [
    {
      id: 'inventory/committed-packages',
      score: files > 100 ? 58 : 34,
      title: `Installed packages or caches are committed: ${plural(files, 'file')}`,
      why: 'They make every clone larger, drift from the lock file, and hide changes to third-party code in reviews.',
      next: 'Remove them with `git rm -r --cached`, ignore them, and install them from the lock file. (Fixtures that need them can stay.)',
      evidence: committedPackages.map(({ folder, files: count }) => `${folder}: ${plural(count, 'file')}`),
    },
  ]
}

function longFiles({ longFiles: { count, top } }: InventoryFacts): Finding[] {
  const longest = top[0]
  if (longest === undefined) return []
  return [
    {
      id: 'inventory/long-files',
      score: Math.min(48, 22 + Math.log2(longest.lines / 1000) * 6 + Math.min(count, 20) / 2),
      title: `${plural(count, 'source file')} of 1,500 lines or more; the longest has ${longest.lines.toLocaleString('en-US')}`,
      why: 'Long files gather unrelated reasons to change: reviews get slower and merges collide.',
      next: 'Split those that also change often (see hot spots) along the groups of functions that change together; leave the quiet ones.',
      evidence: top.map(({ path, lines }) => `${path}: ${lines.toLocaleString('en-US')} lines`),
    },
  ]
}

function missingFiles({ projectFiles, codeLines }: InventoryFacts): Finding[] {
  const findings: Finding[] = []
  if (projectFiles.readme === null) {
    findings.push({
      id: 'inventory/no-readme',
      score: 42,
      title: 'There is no README',
      why: 'Nobody new can tell what this is, how to run it, or whether it is still kept up.',
      next: 'Write ten lines: what it does, how to start it, how to test it, who to ask.',
      evidence: [],
    })
  }
  if (projectFiles.ci === null && codeLines > 500) {
    findings.push({
      id: 'inventory/no-ci',
      score: 46,
      title: 'No configuration of a CI service was found',
      why: 'Nothing in the repository shows that its tests run on every change.',
      next: 'Add a workflow that installs, lints and tests on each pull request. (CI configured outside the repository cannot be seen from here.)',
      evidence: [],
    })
  }
  return findings
}
