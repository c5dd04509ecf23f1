import type { Workspace, WorkspaceCommit, Workspaces } from '../workspaces/index.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import type { Attempt } from './attempt.ts'
import type { ArtifactRef } from './exchange-contract.ts'

/** Under which name it stands among the artifacts of its task. */
export const diffName = 'proof/diff.patch'
export const diffType = 'text/x-diff'

export interface KeptDiff {
  readonly artifact: ArtifactRef
  /** Whether what was added holds the value of a secret that the attempt was given. */
  readonly leaks: boolean
}

/**
 * Keeps what an attempt changed, with the secrets that it was given left out: here they are known. Null where it changed
 * nothing.
 */
export async function keepDiff(
  attempt: Attempt,
  workspace: Workspace,
  result: WorkspaceCommit,
  tools: { readonly workspaces: Workspaces; readonly artifacts: ArtifactSink },
): Promise<KeptDiff | null> {
  if (!result.changed || workspace.tree === null) return null
  const { tenant, runId, taskId } = attempt.assignment
  const diff = await tools.workspaces.diff(workspace, result.commit)
  const text = attempt.masker.text(diff)
  const added = text === diff ? '' : addedBy(diff)
  const data = Buffer.from(text)
  const signal = AbortSignal.timeout(60_000)
  const kept = await tools.artifacts.store({ tenant, runId, taskId }, { data }, signal)
  return {
    artifact: { name: diffName, mediaType: diffType, ...kept },
    leaks: attempt.masker.text(added) !== added,
  }
}

/** The lines that a difference adds: work that takes a secret out of a file does nothing wrong. */
function addedBy(diff: string): string {
  const lines = diff.split('\n').filter((line) => line.startsWith('+') && !line.startsWith('+++ '))
  return lines.map((line) => line.slice(1)).join('\n')
}
