import { findingsUnder } from '../kit/finding.ts'
import { readFiles } from '../kit/read-repository.ts'
import { showBytes } from '../repo-checkup/git/path-name.ts'
import { listHeadFiles } from '../repo-checkup/head-files.ts'
import { runProgram, type Step } from '../repo-checkup/program.ts'
import { type Finding, plural } from '../repo-checkup/result.ts'
import { anchorsOf, blocksOf, brokenLinks, unknownCommands } from './doc-rules.ts'

const finding = findingsUnder('docs')

export interface SurveyFacts {
  readonly documents: readonly string[]
  readonly words: number
  readonly blocks: number
  readonly readme: readonly string[]
  readonly links: number
  readonly commands: number
  /** Scripts of package.json and bins that no document mentions. */
  readonly unmentioned: readonly string[]
}

/** What readers look for in a README, and the words by which it is found. */
const topics: readonly (readonly [string, RegExp])[] = [
  ['how to install it', /\b(install|set-?up|requirements|prerequisites|getting started|quick ?start)\b/i],
  ['how to use it', /\b(usage|use|example|quick ?start|getting started|tutorial|first steps|run)\b/i],
  ['how to test or develop it', /\b(test|develop|contribut|build)/i],
  ['its licence', /\blicen[cs]e\b/i],
]

export const survey: Step<SurveyFacts> = {
  name: 'survey',
  about: 'What documentation there is, links and commands that lead nowhere, and what is not mentioned.',
  async run(context) {
    const { files: all } = await listHeadFiles(context.repository, context.signal)
    const paths = new Set(all.map(({ path }) => showBytes(path)))
    const wanted = /\.(md|markdown|rst|adoc|txt)$/i
    const isDoc = (path: string) =>
      wanted.test(path) &&
      (/(^|\/)(docs?|documentation|guides?|manual|tutorials?)\//i.test(path) ||
        /(^|\/)(readme|contributing|changelog|install|getting|usage|tutorial|architecture|faq)[^/]*$/i.test(path) ||
        !path.includes('/'))
    const read = await readFiles(
      context,
      (path, { role }) => (isDoc(path) || /^(package\.json|Makefile|makefile)$/.test(path)) && role !== 'vendored',
      { fileBytes: 2_000_000, totalBytes: 60_000_000 },
    )
    const docs = read.files.filter(({ path }) => isDoc(path))
    const markdown = docs.filter(({ path }) => /\.(md|markdown)$/i.test(path))
    const anchors = new Map(markdown.map(({ path, text }) => [path, anchorsOf(text)]))
    const links = markdown.flatMap((doc) => brokenLinks(doc, paths, anchors))
    const manifest = parse(read.files.find(({ path }) => path === 'package.json')?.text)
    const makefile = read.files.find(({ path }) => /^makefile$/i.test(path))?.text
    const scripts = manifest === null ? null : new Set(Object.keys((manifest.scripts ?? {}) as object))
    const targets =
      makefile === undefined ? null : new Set([...makefile.matchAll(/^([\w.-]+)\s*:(?!=)/gm)].map((match) => match[1]!))
    const commands = markdown.flatMap((doc) => unknownCommands(doc, { scripts, targets, paths }))
    const readme = docs.find(({ path }) => /^readme[^/]*$/i.test(path))
    const lacks =
      readme === undefined
        ? topics.map(([what]) => what)
        : topics.filter(([, pattern]) => !pattern.test(readme.text)).map(([what]) => what)
    const whole = docs.map(({ text }) => text).join('\n')
    const bins =
      manifest === null
        ? []
        : typeof manifest.bin === 'object' && manifest.bin !== null
          ? Object.keys(manifest.bin)
          : []
    const unmentioned = [
      ...bins,
      ...[...(scripts ?? [])].filter((name) => !/^(pre|post)|:/.test(name)).map((name) => `npm run ${name}`),
    ].filter((name) => !mentions(whole, name))
    const facts = {
      documents: docs.map(({ path }) => path).slice(0, 100),
      words: whole.split(/\s+/).filter(Boolean).length,
      blocks: markdown.reduce((sum, { text }) => sum + blocksOf(text).length, 0),
      readme: lacks,
      links: links.length,
      commands: commands.length,
      unmentioned: unmentioned.slice(0, 30),
    }
    const findings: Finding[] = [
      ...(readme === undefined
        ? [
            finding(
              'readme',
              70,
              'There is no README',
              'Nobody knows what it is, or how to begin.',
              'Write one: what it is, how to install it, one whole example.',
              [],
            ),
          ]
        : lacks.length > 0
          ? [
              finding(
                'topics',
                40,
                `The README does not say ${lacks.join(', ')}`,
                'That is what readers look for first.',
                'Add a few lines on each, or a link.',
                [readme.path],
              ),
            ]
          : []),
      ...(links.length > 0
        ? [
            finding(
              'links',
              50,
              `${plural(links.length, 'link')} to what is not there`,
              'The reader ends nowhere.',
              'Correct or remove them.',
              links.map(({ path, line, target }) => `${path}:${line}: ${target.slice(0, 100)}`),
            ),
          ]
        : []),
      ...(commands.length > 0
        ? [
            finding(
              'commands',
              60,
              `${plural(commands.length, 'command')} of the documentation that the repository does not have`,
              'The reader who copies it gets an error.',
              'Correct the command, or add the script.',
              commands.map(({ path, line, what }) => `${path}:${line}: ${what}`),
            ),
          ]
        : []),
      ...(unmentioned.length > 0
        ? [
            finding(
              'unmentioned',
              20,
              `${plural(unmentioned.length, 'command')} that no document mentions`,
              'Only those who wrote them know them.',
              'A line each, in the README or a guide.',
              unmentioned,
            ),
          ]
        : []),
      ...(docs.length > 0 && facts.blocks === 0
        ? [
            finding(
              'examples',
              35,
              'No document shows an example',
              'Readers copy before they read.',
              'Show one whole small example.',
              [],
            ),
          ]
        : []),
    ]
    return { facts, findings, limits: [...read.limits, 'Links to the web were not followed.'] }
  },
}

function mentions(text: string, command: string): boolean {
  const short = command.replace(/^npm run (test|start)$/, 'npm $1')
  return text.includes(command) || text.includes(short)
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = text === undefined ? null : JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    // Nothing can be said of its scripts.
    return null
  }
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(survey, argv)

if (import.meta.main) await main(process.argv.slice(2))
