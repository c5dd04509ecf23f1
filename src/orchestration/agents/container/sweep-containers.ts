import { type ContainerCli, callCli, lastLine, removeContainer } from './container-cli.ts'
import { containerErrors } from './container-errors.ts'
import { dataFolderMark, ownerLives } from './container-labels.ts'

export interface LeftContainer {
  readonly name: string
  readonly task: string
  readonly fence: string
}

/** Containers of this data folder whose process is gone. @throws container-failed where the CLI does not say */
export async function findLeftContainers(cli: ContainerCli, dataFolder: string): Promise<readonly LeftContainer[]> {
  const filter = ['--filter', `label=dev.leanvibe.data=${dataFolderMark(dataFolder)}`]
  const listed = await callCli(cli, ['ps', '--all', '--quiet', '--no-trunc', ...filter])
  if (listed.code !== 0) throw containerErrors['container-failed'](lastLine(listed))
  const ids = listed.stdout.split('\n').filter((id) => /^[0-9a-f]+$/.test(id))
  if (ids.length === 0) return []
  // One that goes in the meantime makes the answer an error, with the others in it all the same.
  const { stdout } = await callCli(cli, ['inspect', '--type', 'container', ...ids])
  const found = JSON.parse(stdout || '[]') as readonly {
    readonly Name: string
    readonly Config: { readonly Labels: Readonly<Record<string, string>> | null }
  }[]
  return found
    .map(({ Name, Config }) => ({ name: Name.replace(/^\//, ''), labels: Config.Labels ?? {} }))
    .filter(({ labels }) => !ownerLives(labels['dev.leanvibe.owner']))
    .map(({ name, labels }) => ({
      name,
      task: labels['dev.leanvibe.task'] ?? '',
      fence: labels['dev.leanvibe.fence'] ?? '',
    }))
}

/** Ends and removes them. Resolves to those that are gone. */
export async function removeLeftContainers(cli: ContainerCli, dataFolder: string): Promise<readonly LeftContainer[]> {
  const left = await findLeftContainers(cli, dataFolder)
  const gone: LeftContainer[] = []
  for (const container of left) if ((await removeContainer(cli, container.name)).code === 0) gone.push(container)
  return gone
}
