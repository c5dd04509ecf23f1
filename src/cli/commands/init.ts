import { writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { configFileName } from '../../foundation/platform/config/project.ts'
import { makeFolder } from '../../foundation/platform/data-folder/make-folder.ts'
import { findProgram } from '../../foundation/platform/processes/index.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { configText, exampleText, reviewText } from '../init-files.ts'
import { type KnownAgent, knownAgents } from '../known-agents.ts'
import { whileWriting } from '../write-files.ts'

export const init: CliCommand = {
  configure(command, act) {
    command.option('--force', 'write over files that are there').action(act(run))
  },
}

async function run({ cwd, env, out }: CliContext, { force }: { force?: boolean }): Promise<void> {
  const found: KnownAgent[] = []
  for (const agent of knownAgents) if ((await findProgram(agent.program, env.path)) !== null) found.push(agent)
  const files: [string, string][] = [
    [join(cwd, configFileName), configText(found)],
    [join(cwd, 'workflows', 'example.yaml'), exampleText()],
    ...found.slice(0, 1).map((agent): [string, string] => [join(cwd, 'workflows', 'review.yaml'), reviewText(agent)]),
  ]
  for (const [file, text] of files) {
    await write(file, text, force === true)
    out.lines(`${out.colors.green('✔')} ${relative(cwd, file)}`)
  }
  out.document({ type: 'initialised', files: files.map(([file]) => file), agents: found.map(({ program }) => program) })
  out.lines(
    '',
    found.length === 0
      ? 'no coding agent found on the PATH; commands and scripts work all the same'
      : `agents found: ${found.map(({ title }) => title).join(', ')}`,
  )
  out.lines(`${out.colors.cyan('next')}  leanvibe orchestrate example`)
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  await whileWriting(file, async () => {
    await makeFolder(dirname(file), 0o777)
    try {
      await writeFile(file, text, { flag: force ? 'w' : 'wx' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      throw cliErrors['file-exists'](`${file} is there already`)
    }
  })
}
