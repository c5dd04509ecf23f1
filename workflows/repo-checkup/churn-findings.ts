import type { ChurnFacts } from './churn.ts'
import { type Finding, percent, plural, showDay } from './result.ts'

export function churnFindings(facts: ChurnFacts): Finding[] {
  return [...hotSpots(facts), ...coupled(facts), ...dormant(facts)]
}

function hotSpots({ hotSpots: all, window, busiestShare, codeFiles }: ChurnFacts): Finding[] {
  const hot = all.filter((file) => file.commits >= 8 && file.lines >= 300).slice(0, 8)
  const first = hot[0]
  if (first === undefined) return []
  const fixShare = first.fixes / first.commits
  return [
    {
      id: 'churn/hot-spots',
      score: Math.min(72, 44 + Math.min(first.commits, 100) / 8 + fixShare * 20),
      title: `The hottest file is ${first.path}: ${plural(first.commits, 'commit')} since ${showDay(window.from)} on ${plural(first.lines, 'line')}`,
      why:
        `Large files that change all the time are where defects and merge conflicts come from. ` +
        `The busiest 5 % of ${plural(codeFiles, 'code file')} take ${percent(busiestShare, 1)} of all changes.`,
      next: 'Look at the first three before anything else: split out the part that changes, and give it tests of its own.',
      evidence: hot.map(
        (f) =>
          `${f.path}: ${plural(f.commits, 'commit')} (${plural(f.fixes, 'fix', 'fixes')}), ${plural(f.authors, 'author')}, ${plural(f.lines, 'line')}`,
      ),
    },
  ]
}

function coupled({ coupling }: ChurnFacts): Finding[] {
  const first = coupling[0]
  if (first === undefined) return []
  return [
    {
      id: 'churn/coupling',
      score: Math.min(52, 28 + first.together * first.degree),
      title: `${plural(coupling.length, 'pair')} of files in different folders change together`,
      why: 'Whoever changes one must remember the other; nothing in the folder layout says so, and forgetting it is a bug.',
      next: 'For each pair: move the shared decision into one place, put the files side by side, or add a test that fails when they disagree.',
      evidence: coupling
        .slice(0, 8)
        .map(({ a, b, together, degree }) => `${a}  +  ${b}: ${together} times (${percent(degree, 1)})`),
    },
  ]
}

function dormant({ window }: ChurnFacts): Finding[] {
  const years = (window.to - window.from) / 31_557_600
  if (window.commits < 200 || years < 3) return []
  return [
    {
      id: 'churn/slow',
      score: 25,
      title: `The last 200 commits span ${years.toFixed(1)} years`,
      why: 'Little changes here; what is written below about recent work rests on an old record.',
      next: 'Say in the README whether the project is finished, in maintenance, or looking for a maintainer.',
      evidence: [],
    },
  ]
}
