import type { Workspace, WorkspaceCommit, Workspaces } from '../workspaces/index.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import type { Attempt } from './attempt.ts'
import type { ArtifactRef } from './exchange-contract.ts'

/** Under which name it stands among the artifacts of its task. */
export const diffName = 'proof/diff.patch'
export const diffType = 'text/x-diff'

/**
 * Keeps what an attempt changed, with the secrets that it was given left out: here they are known. Null where it changed
 * nothing.
 */
export async function keepDiff(
  attempt: Attempt,
  workspace: Workspace,
  result: WorkspaceCommit,
  tools: { readonly workspaces: Workspaces; readonly artifacts: ArtifactSink },
): Promise<ArtifactRef | null> {
  if (!result.changed || workspace.tree === null) return null
  const { tenant, runId, taskId } = attempt.assignment
  const diff = await tools.workspaces.diff(workspace, result.commit)
  const text = attempt.masker.text(diff)
  if (text !== diff) await attempt.output?.write('stderr', Buffer.from(`${leakNote(result.commit)}\n`))
  const data = Buffer.from(text)
  const signal = AbortSignal.timeout(60_000)
  return {
    name: diffName,
    mediaType: diffType,
    ...(await tools.artifacts.store({ tenant, runId, taskId }, { data }, signal)),
  }
}

/** What is told of work is masked, what it committed cannot be: whoever merges it must know. */
function leakNote(commit: string): string {
  return `[leanvibe: commit ${commit.slice(0, 12)} holds the value of a secret that this work was given. Do not merge it, and change the secret.]`
}
