/** Phrases that a licence text holds after folding; all must be there. The first licence that fits wins, so special ones come first. */
const fingerprints: readonly (readonly [string, readonly string[]])[] = [
  ['AGPL-3.0', ['gnu affero general public license', 'version 3']],
  ['LGPL-3.0', ['gnu lesser general public license', 'version 3']],
  ['LGPL-2.1', ['gnu lesser general public license', 'version 2 1']],
  ['LGPL-2.0', ['gnu library general public license', 'version 2']],
  ['GPL-3.0', ['gnu general public license', 'version 3 29 june 2007']],
  ['GPL-2.0', ['gnu general public license', 'version 2 june 1991']],
  ['Apache-2.0', ['apache license', 'version 2 0', 'www apache org licenses']],
  ['Apache-2.0', ['licensed under the apache license version 2 0']],
  ['MPL-2.0', ['mozilla public license', 'version 2 0']],
  ['EPL-2.0', ['eclipse public license', 'v 2 0']],
  ['EPL-1.0', ['eclipse public license', 'v 1 0']],
  ['CDDL-1.0', ['common development and distribution license']],
  ['EUPL-1.2', ['european union public licence', 'v 1 2']],
  ['BUSL-1.1', ['business source license 1 1']],
  ['SSPL-1.0', ['server side public license', 'version 1']],
  ['Elastic-2.0', ['elastic license 2 0']],
  ['Unlicense', ['this is free and unencumbered software released into the public domain']],
  ['CC0-1.0', ['cc0 1 0 universal']],
  ['CC-BY-SA-4.0', ['attribution sharealike 4 0 international']],
  ['CC-BY-4.0', ['attribution 4 0 international']],
  ['BSL-1.0', ['boost software license version 1 0']],
  ['Zlib', ['altered source versions must be plainly marked as such']],
  ['PSF-2.0', ['python software foundation license version 2']],
  ['Artistic-2.0', ['the artistic license 2 0']],
  ['WTFPL', ['do what the fuck you want to public license']],
  [
    '0BSD',
    [
      'permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted the software is provided',
    ],
  ],
  [
    'ISC',
    [
      'permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided',
    ],
  ],
  [
    'BSD-4-Clause',
    ['redistribution and use in source and binary forms', 'all advertising materials mentioning features'],
  ],
  ['BSD-3-Clause', ['redistribution and use in source and binary forms', 'to endorse or promote products']],
  [
    'BSD-2-Clause',
    ['redistribution and use in source and binary forms', 'redistributions in binary form must reproduce'],
  ],
  [
    'MIT-0',
    ['permission is hereby granted free of charge to any person obtaining a copy', 'to do so the software is provided'],
  ],
  [
    'MIT',
    [
      'permission is hereby granted free of charge to any person obtaining a copy',
      'the above copyright notice and this permission notice',
    ],
  ],
]

const fold = (text: string) => text.toLowerCase().replace(/[^a-z0-9]+/g, ' ')

/** The SPDX identifier (without `-only` or `-or-later`) of a licence text, told by phrases that only it has; null when none fits. */
export function identifyLicence(text: string): string | null {
  const folded = fold(text.slice(0, 60_000))
  return fingerprints.find(([, phrases]) => phrases.every((phrase) => folded.includes(phrase)))?.[0] ?? null
}

const spoken: readonly (readonly [RegExp, string])[] = [
  [/affero/, 'AGPL-3.0'],
  [/lesser.*3|lgpl.*3/, 'LGPL-3.0'],
  [/lesser|lgpl|library general/, 'LGPL-2.1'],
  [/gpl.*3|gnu general public license.*3/, 'GPL-3.0'],
  [/gpl.*2|gnu general public license.*2/, 'GPL-2.0'],
  [/apache.*2/, 'Apache-2.0'],
  [/mozilla.*2|mpl.*2/, 'MPL-2.0'],
  [/bsd.*3|new bsd|modified bsd/, 'BSD-3-Clause'],
  [/bsd.*2|simplified bsd/, 'BSD-2-Clause'],
  [/^(the )?mit( license)?$|expat/, 'MIT'],
  [/^isc( license)?/, 'ISC'],
]

/** What an author wrote in a manifest, as SPDX identifiers without suffix: `MIT OR Apache-2.0` gives both. */
export function normaliseLicence(text: string): string[] {
  return text
    .replace(/[()]/g, '')
    .split(/\s+(?:OR|AND|or|and)\s+|\//)
    .map((part) => part.trim().replace(/\s+WITH\s.*$/i, ''))
    .filter((part) => part !== '')
    .map((part) => {
      const plain = part.replace(/-(only|or-later)$|\+$/, '')
      const folded = plain.toLowerCase()
      const known = fingerprints.find(([id]) => id.toLowerCase() === folded)?.[0]
      return known ?? spoken.find(([pattern]) => pattern.test(folded))?.[1] ?? plain
    })
}

export type LicenceFamily = 'permissive' | 'weak copyleft' | 'strong copyleft' | 'restricted' | 'unknown'

/** How far a licence reaches into what is built with it. */
export function familyOf(id: string): LicenceFamily {
  if (/^(AGPL|GPL)-/.test(id)) return 'strong copyleft'
  if (/^(LGPL|MPL|EPL|CDDL|EUPL|CC-BY-SA)-?/.test(id)) return 'weak copyleft'
  if (/^(BUSL|SSPL|Elastic|UNLICENSED|CC-BY-NC)/i.test(id)) return 'restricted'
  if (
    /^(MIT|MIT-0|ISC|0BSD|Apache|BSD|Zlib|Unlicense|CC0|CC-BY|BSL|PSF|Python|WTFPL|Artistic|BlueOak|Ruby|PostgreSQL|X11|NCSA|Unicode)/.test(
      id,
    )
  )
    return 'permissive'
  return 'unknown'
}
