import { percent, plural, showSize } from '../result.ts'
import { code, escapeMarkdown, list, table } from './markdown.ts'
import type { Results } from './results.ts'

const count = (value: number) => value.toLocaleString('en-US')

export function languageSection({ steps: { inventory } }: Results): string {
  const facts = inventory?.facts
  if (!facts) return ''
  const lines = facts.languages.reduce((sum, one) => sum + one.lines, 0)
  const rows = facts.languages
    .slice(0, 10)
    .map((one) => [one.language, one.use, count(one.files), count(one.lines), percent(one.lines, lines)])
  const aside = (['vendored', 'generated', 'lock', 'binary', 'oversized', 'unread'] as const)
    .filter((role) => facts.roles[role].files > 0)
    .map((role) => `${role} ${count(facts.roles[role].files)} (${showSize(facts.roles[role].bytes)})`)
  return [
    '### Languages\n',
    table(['Language', 'Use', 'Files', 'Lines', 'Share'], rows, ['Files', 'Lines', 'Share']),
    aside.length > 0 ? `Not counted above and left out of all rankings, in files: ${aside.join(', ')}.\n` : '',
  ].join('\n')
}

export function folderSection({ folders, steps }: Results): string {
  const all = folders.map((result) => result.facts).filter((facts) => facts !== null)
  if (all.length === 0) return ''
  const rows = [...all]
    .sort((a, b) => b.sourceLines + b.testLines - a.sourceLines - a.testLines || b.files - a.files)
    .slice(0, 15)
    .map((facts) => [
      code(facts.name),
      count(facts.files),
      count(facts.sourceLines),
      count(facts.testLines),
      facts.languages[0]?.language ?? '-',
      count(facts.commits),
      count(facts.authorCount),
      facts.authors[0] === undefined
        ? '-'
        : `${escapeMarkdown(facts.authors[0].name)} (${Math.round(facts.authors[0].share * 100)} %)`,
    ])
  const rest = all.length - rows.length + (steps.survey?.facts?.foldersLeftOut ?? 0)
  return [
    '### Folders\n',
    table(['Folder', 'Files', 'Code', 'Test code', 'Mainly', 'Commits', 'Authors', 'Most lines from'], rows, [
      'Files',
      'Code',
      'Test code',
      'Commits',
      'Authors',
    ]),
    `Lines of code at the commit looked at; commits and authors in the recent window.${rest > 0 ? ` ${plural(rest, 'smaller folder')} not shown.` : ''}\n`,
  ].join('\n')
}

export function testSection({ steps: { tests } }: Results): string {
  const facts = tests?.facts
  if (!facts) return ''
  const ratio = facts.sourceLines === 0 ? '-' : (facts.testLines / facts.sourceLines).toFixed(2)
  const rows = facts.languages
    .filter((one) => one.source + one.test > 0)
    .map((one) => [
      one.language,
      count(one.source),
      count(one.test),
      one.source === 0 ? '-' : (one.test / one.source).toFixed(2),
    ])
  return [
    '### Tests\n',
    `${plural(facts.testLines, 'line')} of test code for ${plural(facts.sourceLines, 'line')} of code: ${ratio} to 1.${facts.inlineTested > 0 ? ` ${plural(facts.inlineTested, 'Rust file')} hold their tests inside.` : ''}` +
      `${facts.named.telling ? ` Of ${plural(facts.named.asked, 'source file')} with a telling name, ${facts.named.mentioned} are mentioned by a test.` : ''}\n`,
    table(['Language', 'Code', 'Test code', 'Ratio'], rows.slice(0, 6), ['Code', 'Test code', 'Ratio']),
  ].join('\n')
}

export function duplicateSection({ steps: { duplicates } }: Results): string {
  const facts = duplicates?.facts
  if (!facts || facts.lines === 0) return ''
  const rows = facts.blocks.slice(0, 8).map((block) => [
    count(block.lines),
    String(block.copies),
    block.places
      .slice(0, 2)
      .map((place) => code(`${place.path}:${place.from}-${place.to}`))
      .join(' '),
  ])
  return [
    '### Copied code\n',
    `${percent(facts.duplicatedLines, facts.lines)} of ${plural(facts.lines, 'line')} outside tests, ${percent(facts.duplicatedTestLines, facts.testLines)} of ${plural(facts.testLines, 'line')} in tests.\n`,
    table(['Lines', 'Copies', 'Where (first two)'], rows, ['Lines', 'Copies']),
  ].join('\n')
}

export function dependencySection({ steps: { dependencies } }: Results): string {
  const facts = dependencies?.facts
  if (!facts) return ''
  const own = facts.licenceFiles.slice(0, 6).map((file) => `${code(file.path)} is ${file.licence ?? 'not recognised'}`)
  const declared = facts.declared
    .slice(0, 6)
    .map((one) => `${escapeMarkdown(one.licence)} (${plural(one.manifests, 'manifest')})`)
  const lines = [
    own.length > 0 ? `Licence files: ${own.join(', ')}.` : 'There is no licence file.',
    declared.length > 0 ? `Manifests declare: ${declared.join(', ')}.` : 'No manifest declares a licence.',
  ]
  if (facts.locked !== null) {
    const top = facts.locked.licences.slice(0, 8).map((one) => `${escapeMarkdown(one.licence)} ${one.packages}`)
    lines.push(
      `${plural(facts.locked.packages, 'locked package')} tell their licence: ${top.join(', ')}${facts.locked.licences.length > 8 ? ' and others' : ''}.`,
    )
  }
  if (facts.actions.total > 0)
    lines.push(
      `${facts.actions.pinned} of ${plural(facts.actions.total, 'use')} of GitHub actions are pinned to a commit.`,
    )
  const rows = facts.ecosystems.map((one) => [
    one.ecosystem,
    count(one.manifests),
    count(one.runtime),
    count(one.development),
  ])
  return [
    '### Dependencies and licences\n',
    table(['Ecosystem', 'Manifests', 'Direct, runtime', 'Direct, development'], rows, [
      'Manifests',
      'Direct, runtime',
      'Direct, development',
    ]),
    list(lines),
  ].join('\n')
}

export function bulkSection({ steps: { bulk } }: Results): string {
  const facts = bulk?.facts
  if (!facts) return ''
  const heavy = facts.heaviest.filter((one) => one.packed >= 200_000 && one.packed * 100 >= facts.packed)
  const rows = heavy
    .slice(0, 8)
    .map((one) => [
      code(one.path),
      showSize(one.packed),
      count(one.versions),
      showSize(one.largest),
      one.present ? 'yes' : 'deleted',
    ])
  return [
    '### Size of the clone\n',
    `${showSize(facts.packed)} in ${plural(facts.objects, 'object')}; ${showSize(facts.packedPast)} of it are contents that the present files no longer use. The present files have ${showSize(facts.presentBytes)}.\n`,
    table(['Path', 'Packed, all versions', 'Versions', 'Largest', 'Present'], rows, [
      'Packed, all versions',
      'Versions',
      'Largest',
    ]),
  ].join('\n')
}
