import { showBytes } from '../repo-checkup/git/path-name.ts'
import { type HeadFile, listHeadFiles, noSkips, readTextFiles } from '../repo-checkup/head-files.ts'
import type { StepContext } from '../repo-checkup/program.ts'
import { plural } from '../repo-checkup/result.ts'

export interface ReadText {
  /** As it is shown: printable. */
  readonly path: string
  readonly text: string
}

/** Texts of the files of a commit that `wanted` names by path, and what was left out. */
export async function readFiles(
  { repository, signal, expired }: StepContext,
  wanted: (path: string, file: HeadFile) => boolean,
  most: { readonly fileBytes: number; readonly totalBytes: number } = {
    fileBytes: 20_000_000,
    totalBytes: 200_000_000,
  },
): Promise<{ readonly files: readonly ReadText[]; readonly limits: readonly string[] }> {
  const { files } = await listHeadFiles(repository, signal)
  const skips = noSkips()
  const limits = { maxFileBytes: most.fileBytes, maxTotalBytes: most.totalBytes, expired, signal }
  const read: ReadText[] = []
  for await (const file of readTextFiles(
    repository,
    files.filter((each) => wanted(showBytes(each.path), each)),
    limits,
    skips,
  )) {
    read.push({ path: showBytes(file.path), text: Buffer.from(file.text, 'latin1').toString('utf8') })
  }
  const left = skips.tooLarge + skips.notReached
  return { files: read, limits: left === 0 ? [] : [`${plural(left, 'file')} not read: too large, or the time was up.`] }
}
