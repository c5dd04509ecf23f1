import { createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Client } from '../client/client.ts'
import { makeFolder } from '../foundation/platform/data-folder/make-folder.ts'
import { artifactContent } from '../orchestration/runs/run-endpoints-contract.ts'
import type { ArtifactView, RunDetail } from '../orchestration/runs/runs-contract.ts'
import { whileWriting } from './write-files.ts'

export interface SavedArtifact {
  readonly name: string
  readonly step: string
  readonly file: string
  readonly bytes: number
}

/** The artifacts of the steps that no other step builds on: what the run was for. */
export function resultsOf(detail: RunDetail): readonly ArtifactView[] {
  const needed = new Set(detail.steps.flatMap(({ needs }) => needs))
  return detail.artifacts.filter(({ step, name }) => !needed.has(step) && !name.startsWith('proof/'))
}

/**
 * Copies artifacts into a folder, whole or not at all; those of several steps into a folder for each, and those of other
 * runs than `run` below a folder with the name of theirs.
 */
export async function saveArtifacts(
  client: Client,
  artifacts: readonly ArtifactView[],
  folder: string,
  { run, signal }: { readonly run?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly SavedArtifact[]> {
  const oneStep = new Set(artifacts.map(({ step }) => step)).size === 1
  const taken = new Set<string>()
  const saved: SavedArtifact[] = []
  for (const artifact of artifacts) {
    const file = freeName(
      join(
        folder,
        ...(run === undefined || artifact.runId === run ? [] : [segment(artifact.runId)]),
        ...(oneStep ? [] : [segment(artifact.step)]),
        ...pathOf(artifact.name),
      ),
      taken,
    )
    await whileWriting(dirname(file), () => makeFolder(dirname(file), 0o777))
    const { body } = await client.bytes(artifactContent, { params: { id: artifact.id }, ...(signal ? { signal } : {}) })
    await whileWriting(file, async () => {
      await pipeline(Readable.fromWeb(body as never), createWriteStream(`${file}.part`), signal ? { signal } : {})
      await rename(`${file}.part`, file)
    })
    saved.push({ name: artifact.name, step: artifact.step, file, bytes: artifact.bytes })
  }
  return saved
}

/** A name an agent chose, as a path that cannot leave the folder. */
function pathOf(name: string): string[] {
  const parts = name.split(/[/\\]+/).filter((part) => part !== '')
  const last = parts.pop() ?? '.'
  return [...parts.map(segment), isDots(last) ? 'artifact' : segment(last)]
}

function segment(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f<>:"|?*\\/]/g, '_').slice(0, 120)
  return isDots(clean) ? '_' : clean
}

function isDots(text: string): boolean {
  return /^\.+$/.test(text)
}

function freeName(file: string, taken: Set<string>): string {
  let free = file
  for (let n = 2; taken.has(free); n++) free = file.replace(/(\.[^./]*)?$/, (end) => `-${n}${end}`)
  taken.add(free)
  return free
}
