export type { Workspace, WorkspaceCommit, WorkspaceLeftover, WorkspaceTree } from './workspace.ts'
export { workspaceErrors } from './workspace-errors.ts'
export { type CommitWorkspace, type CreateWorkspace, Workspaces, type WorkspacesOptions } from './workspaces.ts'
