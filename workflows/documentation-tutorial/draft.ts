import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readToolchain, type Toolchain } from '../kit/toolchain.ts'
import { type WorkStep, workProgram } from '../kit/work-program.ts'

export interface DraftFacts {
  readonly file: string
  /** False: it is there already, and was left as it is. */
  readonly written: boolean
  readonly steps: number
}

/** A tutorial made of what the repository has: each command is one that was found in it. Pure. */
export function draftOf(
  subject: string,
  { checks, build, names, manifest }: Toolchain,
): { readonly text: string; readonly steps: number } {
  const what = typeof manifest?.description === 'string' ? manifest.description : null
  const name = typeof manifest?.name === 'string' ? manifest.name : 'this project'
  const install = checks.setup.length > 0 ? checks.setup : []
  const parts: [string, string, readonly (readonly string[])[]][] = [
    ['Install what it needs', 'Once, in a fresh clone.', install.map(({ argv }) => argv)],
    ['Build it', 'This makes what is shipped.', build.map(({ argv }) => argv)],
    [
      'Run its tests',
      'They should all pass before you change anything.',
      checks.tests.slice(0, 1).map(({ argv }) => argv),
    ],
    [
      'Check your changes',
      'Before you hand them in.',
      [...checks.types.slice(0, 1), ...checks.lint.slice(0, 1)].map(({ argv }) => argv),
    ],
  ]
  const there = parts.filter(([, , commands]) => commands.length > 0)
  const readme = [...names].find((each) => /^readme/i.test(each))
  const blocks = there.map(
    ([title, why, commands], at) =>
      `## ${at + 1}. ${title}\n\n${why}\n\n\`\`\`sh\n${commands.map((argv) => argv.join(' ')).join('\n')}\n\`\`\`\n`,
  )
  const text = [
    `# ${subject[0]?.toUpperCase() ?? ''}${subject.slice(1)}\n`,
    `${what ?? `How to begin with ${name}.`} You are in a fresh clone of the repository.\n`,
    ...(there.length === 0 ? ['The repository names no command to build, test or check it.\n'] : blocks),
    ...(readme === undefined ? [] : [`## Further\n\nWhat it is and how it is used: ${readme}.\n`]),
  ].join('\n')
  return { text, steps: there.length }
}

export const draft: WorkStep<DraftFacts> = {
  name: 'draft',
  options: ['file', 'subject'],
  async run({ folder, options }) {
    const { file = 'docs/tutorial.md', subject = 'getting started' } = options
    const path = join(folder, file)
    const limit = 'No agent wrote it: it is a draft of the commands that were found, for a person to complete.'
    if (existsSync(path))
      return { facts: { file, written: false, steps: 0 }, limits: [`${file} is there already, and was left as it is.`] }
    const { text, steps } = draftOf(subject, readToolchain(folder))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    return {
      facts: { file, written: true, steps },
      limits: [limit],
      sections: [
        {
          title: `Draft of ${file}`,
          markdown: text
            .split('\n')
            .map((line) => `    ${line}`.trimEnd())
            .join('\n'),
        },
      ],
    }
  },
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(draft, argv)

if (import.meta.main) await main(process.argv.slice(2))
