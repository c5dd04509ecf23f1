import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Document, isMap, parseDocument } from 'yaml'
import { parseConfigFile } from '../foundation/platform/config/config-file.ts'
import { configFileName, findProject } from '../foundation/platform/config/project.ts'
import { cliErrors } from './cli-errors.ts'
import type { CliContext } from './command.ts'
import { whileWriting } from './write-files.ts'

export interface SettingPlace {
  readonly path: readonly string[]
  /** What it is called where it is there already, such as `a pool coder`. */
  readonly called: string
  /** Write over what is there. */
  readonly force: boolean
}

/** Writes a setting to the project's leanvibe.yaml, whose comments and order stay as they are; returns the file. */
export async function writeSetting(
  { cwd }: CliContext,
  { path, called, force }: SettingPlace,
  value: object,
): Promise<string> {
  const project = await findProject(cwd)
  const file = project.configFile ?? join(project.root, configFileName)
  return whileWriting(file, async () => {
    const text = project.configFile === null ? '' : await readFile(file, 'utf8')
    const document = text.trim() === '' ? new Document({}) : parseDocument(text)
    if (!isMap(document.contents)) document.contents = document.createNode({}) as never
    if (!force && document.hasIn(path)) throw cliErrors['pool-exists'](`${file} has ${called} already`)
    document.setIn(path, document.createNode(value))
    const written = document.toString({ lineWidth: 120 })
    // What would be refused at the next start is refused now, and nothing is written.
    parseConfigFile(file, written)
    await writeFile(file, written)
    return file
  })
}
