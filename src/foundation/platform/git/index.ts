export { createGit, type Git, type GitOptions, type GitPlace, type GitResult, type GitSettings } from './git.ts'
export { gitErrors } from './git-errors.ts'
export type { RepositoryInfo } from './inspect-repository.ts'
