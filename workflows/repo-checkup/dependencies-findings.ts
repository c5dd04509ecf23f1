import type { DependenciesFacts, NamedDependency } from './dependencies-facts.ts'
import { type Finding, plural } from './result.ts'
import { familyOf, normaliseLicence } from './rules/licences.ts'

export function dependencyFindings(facts: DependenciesFacts): Finding[] {
  return [
    ...noLicence(facts),
    ...mismatch(facts),
    ...copyleft(facts),
    ...fromSource(facts),
    ...open(facts),
    ...disagreeing(facts),
    ...unlocked(facts),
    ...actions(facts),
    ...images(facts),
  ]
}

const place = ({ manifest, name, requirement }: NamedDependency) => `${manifest}: ${name} ${requirement}`

function noLicence({ licenceFiles, declared }: DependenciesFacts): Finding[] {
  if (licenceFiles.length > 0 || declared.length > 0) return []
  return [
    {
      id: 'dependencies/no-licence',
      score: 57,
      title: 'No licence: neither a licence file nor a licence field in a manifest',
      why: 'Without one nobody but its authors may use, change or share the code; companies will not touch it.',
      next: 'If it is to be used by others, add a LICENSE file and the same SPDX identifier to the manifests; if it is private, say so in the README.',
      evidence: [],
    },
  ]
}

/** The licence files at the top, and what the manifests at the top say. */
function mismatch({ licenceFiles, manifests }: DependenciesFacts): Finding[] {
  const texts = licenceFiles
    .filter((file) => !file.path.includes('/') && file.licence !== null)
    .map((file) => file.licence!)
  const wrong = manifests.filter((manifest) => {
    if (manifest.path.includes('/') || manifest.licence === null || texts.length === 0) return false
    const declared = normaliseLicence(manifest.licence)
    return (
      declared.every((id) => familyOf(id) !== 'unknown') &&
      !declared.some((id) => texts.some((text) => sameLicence(id, text)))
    )
  })
  if (wrong.length === 0) return []
  return [
    {
      id: 'dependencies/licence-mismatch',
      score: 61,
      title: 'Manifest and licence file name different licences',
      why: 'Package registries and licence scanners believe the manifest, lawyers the file; users cannot know which holds.',
      next: 'Decide which is meant and make both say it, with the SPDX identifier in the manifest.',
      evidence: [
        ...wrong.map((manifest) => `${manifest.path}: ${manifest.licence}`),
        ...licenceFiles.filter((file) => !file.path.includes('/')).map((file) => `${file.path}: ${file.licence}`),
      ].slice(0, 10),
    },
  ]
}

function sameLicence(a: string, b: string): boolean {
  return (
    a === b ||
    (a.startsWith('BSD') && b.startsWith('BSD')) ||
    (/^A?L?GPL/.test(a) && a.split('-')[0] === b.split('-')[0])
  )
}

function copyleft({ locked, licenceFiles, declared }: DependenciesFacts): Finding[] {
  const own = licenceFiles.find((file) => !file.path.includes('/'))?.licence ?? declared[0]?.licence ?? ''
  if (locked === null || familyOf(own) === 'strong copyleft') return []
  // With a choice of licences the mildest counts.
  const strict = locked.licences.filter(({ licence }) => {
    const families = normaliseLicence(licence).map(familyOf)
    return families.length > 0 && families.every((family) => family === 'strong copyleft' || family === 'restricted')
  })
  if (strict.length === 0) return []
  return [
    {
      id: 'dependencies/copyleft',
      score: 58,
      title: `${plural(
        strict.reduce((sum, one) => sum + one.packages, 0),
        'locked package',
      )} under strong copyleft or restricted licences`,
      why: 'If they are shipped with the product, their terms may reach it.',
      next: 'Check whether each is shipped or only used while building; replace it, or record why it is fine.',
      evidence: strict.map(
        (one) => `${one.licence}: ${one.examples.join(', ')}${one.packages > one.examples.length ? ' ...' : ''}`,
      ),
    },
  ]
}

function fromSource({ fromSource: list }: DependenciesFacts): Finding[] {
  if (list.length === 0) return []
  return [
    {
      id: 'dependencies/from-source',
      score: 48,
      title: `${plural(list.length, 'dependency', 'dependencies')} from a git or web address or a fork`,
      why: 'The address can change, move or vanish, no registry checks it, and update tools pass it over.',
      next: 'Go back to a published version, or pin a full commit and note what the fork is for.',
      evidence: list.slice(0, 10).map(place),
    },
  ]
}

function open({ open: list, openCount }: DependenciesFacts): Finding[] {
  if (openCount === 0) return []
  return [
    {
      id: 'dependencies/open',
      score: Math.min(46, 30 + openCount),
      title: `${plural(openCount, 'runtime dependency', 'runtime dependencies')} without an upper bound`,
      why: 'The next major version is installed without anybody asking for it; where there is no lock file, two machines get different code.',
      next: 'Applications: commit a lock file. Libraries: bound what is known to break (for example <3), and test against the newest in CI.',
      evidence: list.slice(0, 10).map(place),
    },
  ]
}

function disagreeing({ disagreeing: list }: DependenciesFacts): Finding[] {
  if (list.length === 0) return []
  return [
    {
      id: 'dependencies/disagreeing',
      score: Math.min(44, 26 + list.length),
      title: `${list.length === 15 ? '15 or more dependencies are' : `${plural(list.length, 'dependency is', 'dependencies are')}`} asked for in different versions within the repository`,
      why: 'Two versions of one library end up in the same build or process, or behave differently per package.',
      next: 'Align them (workspace catalogue, shared constraints file, dependency management), or note why they must differ.',
      evidence: list
        .slice(0, 8)
        .map(
          ({ name, requirements }) =>
            `${name}: ${requirements.map((r) => `${r.requirement} (${r.manifests[0]})`).join(', ')}`,
        ),
    },
  ]
}

function unlocked({ unlocked: list }: DependenciesFacts): Finding[] {
  if (list.length === 0) return []
  return [
    {
      id: 'dependencies/unlocked',
      score: 30,
      title: `${plural(list.length, 'private manifest')} without a lock file beside or above`,
      why: 'What is installed depends on the day: a build that worked yesterday can fail or bring other code today.',
      next: 'Commit the lock file.',
      evidence: list.slice(0, 10).map(({ path, ecosystem }) => `${path} (${ecosystem})`),
    },
  ]
}

function actions({ actions: { total, pinned, thirdPartyUnpinned } }: DependenciesFacts): Finding[] {
  if (thirdPartyUnpinned.length === 0) return []
  return [
    {
      id: 'dependencies/actions',
      score: 43,
      title: `GitHub workflows run third-party actions by tag or branch (${pinned} of ${total} uses are pinned to a commit)`,
      why: 'A tag can be moved: whoever takes over the action runs code with the secrets of the pipeline (it has happened).',
      next: 'Pin them to a full commit with the version in a comment; Dependabot and Renovate keep such pins up to date.',
      evidence: thirdPartyUnpinned,
    },
  ]
}

function images({ images: { unpinned } }: DependenciesFacts): Finding[] {
  if (unpinned.length === 0) return []
  return [
    {
      id: 'dependencies/images',
      score: 33,
      title: `${plural(unpinned.length, 'base image')} without a version (latest)`,
      why: 'The same Dockerfile builds something else tomorrow.',
      next: 'Name a version, better a digest.',
      evidence: unpinned.map(place),
    },
  ]
}
