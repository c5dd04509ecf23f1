import type { OwnershipFacts } from './ownership-facts.ts'
import { type Finding, percent, plural, showDay } from './result.ts'

export function ownershipFindings(facts: OwnershipFacts): Finding[] {
  return [...busFactor(facts), ...thin(facts), ...unattended(facts), ...islands(facts)]
}

function busFactor({ busFactor: factor, owners, people, activePeople, codeFiles }: OwnershipFacts): Finding[] {
  if (factor === null || codeFiles < 10 || factor.factor > 2) return []
  const names = factor.people.join(' and ')
  const gone = owners.filter((owner) => factor.people.includes(owner.name) && !owner.active)
  const alone = people <= 1
  return [
    {
      id: 'ownership/bus-factor',
      score: gone.length === factor.factor ? 84 : alone ? 50 : factor.factor === 1 ? 74 : 58,
      title: alone
        ? `One person, ${names}, wrote all of it`
        : `Bus factor ${factor.factor}: without ${names} more than half of the code has no author left`,
      why:
        alone && gone.length === 0
          ? 'Nobody else has written any of it, so nobody else can repair it at once.'
          : gone.length > 0
            ? `${gone.map((owner) => `${owner.name} was last seen on ${showDay(owner.lastCommitAt)}`).join('; ')}: that knowledge may be gone already.`
            : `${plural(people, 'person', 'people')} contributed, ${activePeople} in the last year, but the knowledge of most files sits with ${factor.factor === 1 ? 'one' : 'two'}.`,
      next: alone
        ? 'Write down how to build, release and operate it, and give a second person the keys.'
        : 'Route the next changes in their largest folders to somebody else, with them as reviewer, until a second author exists.',
      evidence: owners
        .slice(0, 5)
        .map(
          (o) =>
            `${o.name}: author of ${plural(o.files, 'file')} (${percent(o.files, codeFiles)}), ${plural(o.commits, 'commit')}, last ${showDay(o.lastCommitAt)}`,
        ),
    },
  ]
}

/** A good bus factor on paper, of which few people are left. */
function thin({
  busFactor: all,
  busFactorOfActive: now,
  activePeople,
  unattended: lost,
  codeFiles,
  owners,
}: OwnershipFacts): Finding[] {
  if (all === null || now === null || all.factor <= 2 || now.factor === 0 || now.factor > 2 || activePeople < 2)
    return []
  return [
    {
      id: 'ownership/thin',
      score: 56,
      title: `Over its whole history the bus factor is ${all.factor}, but among those still active it is ${now.factor}: ${now.people.join(' and ')}`,
      why: `${percent(lost.files, codeFiles)} of the code files are known to nobody active already; without ${now.factor === 1 ? 'this person' : 'these two'} it would be more than half.`,
      next: 'Let others change what these people look after, with them as reviewers, while they are here.',
      evidence: owners
        .filter((o) => o.active)
        .slice(0, 5)
        .map(
          (o) =>
            `${o.name}: author of ${plural(o.files, 'file')}, ${plural(o.commits, 'commit')}, last ${showDay(o.lastCommitAt)}`,
        ),
    },
  ]
}

function unattended({ unattended: lost, codeFiles, busFactor: factor, people }: OwnershipFacts): Finding[] {
  if (factor === null || people < 2 || lost.files < 5 || lost.files / codeFiles < 0.15) return []
  return [
    {
      id: 'ownership/unattended',
      score: 40 + Math.min(30, (lost.files / codeFiles) * 40),
      title: `${percent(lost.files, codeFiles)} of the code files outside tests (${lost.files.toLocaleString('en-US')}) are known to nobody who is still active`,
      why: 'Their authors had no commit in the last year, and nobody else changed them three times in it: there is nobody left to ask.',
      next: 'Name an owner for the folders below (CODEOWNERS), starting with those that still change.',
      evidence: lost.folders.map(({ folder, files, of }) => `${folder}: ${files} of ${of} files`),
    },
  ]
}

function islands({ singleAuthorFolders, people }: OwnershipFacts): Finding[] {
  if (people < 3 || singleAuthorFolders.length === 0) return []
  const files = singleAuthorFolders.reduce((sum, folder) => sum + folder.files, 0)
  return [
    {
      id: 'ownership/islands',
      score: 36,
      title: `${plural(singleAuthorFolders.length, 'folder')} (${plural(files, 'file')}) are known to one person each`,
      why: 'Illness or a holiday there stops work, and reviews by others stay on the surface.',
      next: 'Pair on the next change in each, beginning with folders whose author is inactive.',
      evidence: singleAuthorFolders.map(
        (f) => `${f.folder}: ${plural(f.files, 'file')}, ${f.author}${f.active ? '' : ' (inactive)'}`,
      ),
    },
  ]
}
