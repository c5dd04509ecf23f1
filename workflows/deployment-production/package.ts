import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { defineErrors } from '../../src/foundation/kernel/errors.ts'
import { endText, lastLines, runCommand, shown } from '../kit/run-command.ts'
import { readToolchain, setUp } from '../kit/toolchain.ts'
import { countOf, type WorkStep, workProgram } from '../kit/work-program.ts'
import { code, table } from '../repo-checkup/report/markdown.ts'
import { showSize } from '../repo-checkup/result.ts'

export const packageErrors = defineErrors({
  'deploy-build-failed': {
    kind: 'input',
    retry: 'never',
    when: 'the repository cannot be built or packaged at the commit that is to be deployed',
    next: 'Run the command in a fresh clone; nothing was deployed.',
  },
})

export interface PackageFacts {
  readonly commands: readonly string[]
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[]
}

/** Builds what the repository builds, and keeps what it packs (or the source itself) with its digest. */
export const pack: WorkStep<PackageFacts> = {
  name: 'package',
  options: ['minutes'],
  async run({ folder, options, signal, say }) {
    const toolchain = readToolchain(folder)
    const place = { cwd: folder, signal, timeoutMs: countOf(options.minutes, 30, 1, 240) * 60_000 }
    const missing = await setUp(toolchain, place)
    if (missing !== null) throw packageErrors['deploy-build-failed'](missing)
    const commands: string[] = []
    const before = new Set(await readdir(folder))
    for (const { argv } of [...toolchain.build, ...toolchain.pack]) {
      const end = await runCommand(argv, place)
      say(`${shown(argv)}: ${endText(end)}`)
      if (end.exitCode !== 0)
        throw packageErrors['deploy-build-failed'](`${shown(argv)} ${endText(end)}: ${lastLines(end.output, 5, 800)}`)
      commands.push(shown(argv))
    }
    const out = join(folder, options.out ?? 'leanvibe-package')
    await mkdir(out, { recursive: true })
    const made = (await readdir(folder)).filter(
      (name) => !before.has(name) && /\.(tgz|tar\.gz|zip|whl|crate|jar|deb)$/.test(name),
    )
    for (const name of made) await copyFile(join(folder, name), join(out, name))
    if (made.length === 0) {
      const argv = [
        'git',
        '-c',
        'core.hooksPath=/dev/null',
        'archive',
        '--format=tar.gz',
        `--output=${join(out, 'source.tar.gz')}`,
        'HEAD',
      ]
      const end = await runCommand(argv, place)
      if (end.exitCode !== 0)
        throw packageErrors['deploy-build-failed'](`git archive ${endText(end)}: ${lastLines(end.output, 3, 400)}`)
      commands.push('git archive HEAD')
    }
    const files = []
    for (const name of (await readdir(out)).sort()) {
      const path = join(out, name)
      files.push({
        name,
        bytes: (await stat(path)).size,
        sha256: createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      })
    }
    const rows = files.map(({ name, bytes, sha256 }) => [code(name), showSize(bytes), code(sha256)])
    return {
      facts: { commands, files },
      sections: [
        {
          title: 'Package',
          markdown: `${commands.map(code).join(', ')}\n\n${table(['File', 'Size', 'SHA-256'], rows, ['Size'])}`,
        },
      ],
    }
  },
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(pack, argv)

if (import.meta.main) await main(process.argv.slice(2))
