import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { endText, lastLines, runCommand } from '../kit/run-command.ts'
import { type WorkStep, workProgram } from '../kit/work-program.ts'
import { table } from '../repo-checkup/report/markdown.ts'
import { plural } from '../repo-checkup/result.ts'
import { blocksOf } from './doc-rules.ts'

export interface TryFacts {
  readonly blocks: number
  readonly passed: number
  readonly failedAt: number | null
  readonly summary: string
}

/** Runs the blocks marked sh of a document, one after the other, in the copy of the repository that it lies in. */
export const tryOut: WorkStep<TryFacts> = {
  name: 'try',
  options: ['file'],
  async run({ folder, options, signal, say }) {
    const file = options.file ?? 'docs/tutorial.md'
    const path = join(folder, file)
    if (!existsSync(path)) {
      const missing = {
        id: 'try/missing',
        score: 60,
        title: `${file} was not written`,
        why: 'There is nothing to try.',
        next: 'See what the writer says.',
        evidence: [],
      }
      return { facts: { blocks: 0, passed: 0, failedAt: null, summary: 'it is not there' }, findings: [missing] }
    }
    const blocks = blocksOf(await readFile(path, 'utf8')).filter(({ language }) => /^(sh|bash|shell)$/.test(language))
    const rows: string[][] = []
    let failed: { line: number; end: string; tail: string } | null = null
    for (const block of blocks) {
      const end = await runCommand(['bash', '-eu', '-o', 'pipefail', '-c', block.text], {
        cwd: folder,
        signal,
        timeoutMs: 600_000,
      })
      say(`line ${block.line}: ${endText(end)}`)
      rows.push([String(block.line), endText(end)])
      if (end.exitCode !== 0) {
        failed = { line: block.line, end: endText(end), tail: lastLines(end.output, 6) }
        break
      }
    }
    const passed = rows.length - (failed === null ? 0 : 1)
    const summary =
      failed === null
        ? `all ${plural(blocks.length, 'block')} passed`
        : `the block at line ${failed.line} ${failed.end}`
    const findings =
      failed === null
        ? []
        : [
            {
              id: 'try/failed',
              score: 70,
              title: `The tutorial stops working at line ${failed.line}`,
              why: 'A reader who follows it gets stuck there.',
              next: 'Correct the command, or what it needs.',
              evidence: [failed.end, ...failed.tail.split('\n').map((line) => line.slice(0, 160))].slice(0, 10),
            },
          ]
    const limits = blocks.length === 0 ? ['It has no block marked sh: nothing was tried.'] : []
    return {
      facts: { blocks: blocks.length, passed, failedAt: failed?.line ?? null, summary },
      findings,
      limits,
      sections: [{ title: 'Tried out', markdown: table(['Line', 'End'], rows, ['Line']) }],
    }
  },
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(tryOut, argv)

if (import.meta.main) await main(process.argv.slice(2))
