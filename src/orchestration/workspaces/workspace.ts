/** The folders of one attempt. Never used again by another one. */
export interface Workspace {
  /** Also the marker of the attempt's processes. */
  readonly id: string
  /** Where the work runs: a worktree, or a scratch folder. */
  readonly path: string
  /** For files that are kept as artifacts. */
  readonly outdir: string
  /** For files of whoever runs the work: scripts, prompts. */
  readonly tempdir: string
  /** Null for a scratch folder. */
  readonly tree: WorkspaceTree | null
}

export interface WorkspaceTree {
  /** The git folder that the worktree shares with the user's repository. */
  readonly commonDir: string
  /** The worktree's own git folder, inside `commonDir`. */
  readonly gitDir: string
  /** The commit it started from. */
  readonly base: string
}

/** What is known on disk of a workspace, from before it exists until after it is gone. */
export interface WorkspaceRecord extends Workspace {
  /** The process that made it. */
  readonly owner: { readonly pid: number; readonly start: string; readonly scope: string }
}

export interface WorkspaceCommit {
  /** The commit that holds what the task left; the base where it changed nothing. */
  readonly commit: string
  readonly changed: boolean
  /** Repositories inside the worktree: their files are not ours to commit. */
  readonly skipped: readonly string[]
}

/** What a crash left behind. */
export interface WorkspaceLeftover {
  readonly id: string
  readonly path: string
  /** Processes of its attempt that still run; unless empty, it stays. */
  readonly processes: readonly number[]
}
