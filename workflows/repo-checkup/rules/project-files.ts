/** The files by which a project explains itself; the first match nearest to the top wins. */
const wanted = {
  readme: /^(\.github\/|docs\/)?readme(\.[a-z]+)?$/i,
  licence: /^(licen[cs]es?|copying|unlicense|copyright|mit-license)([._-][^/]*)?$/i,
  contributing: /^(\.github\/|docs\/)?contributing(\.[a-z]+)?$/i,
  security: /^(\.github\/|docs\/)?security(\.[a-z]+)?$/i,
  codeOwners: /^(\.github\/|docs\/|\.gitlab\/)?(codeowners|owners|maintainers(\.[a-z]+)?)$/i,
  changelog: /^(docs\/)?(change(log|s)|history|news|releases?)(\.[a-z]+)?$/i,
  ci: /^(\.github\/workflows\/.+\.ya?ml|\.gitlab-ci\.yml|\.circleci\/config\.yml|\.travis\.yml|azure-pipelines\.yml|jenkinsfile|\.buildkite\/.+\.ya?ml|appveyor\.yml|\.cirrus\.yml|\.drone\.yml|bitbucket-pipelines\.yml|\.woodpecker(\.ya?ml|\/.+)|\.ci\/.+)$/i,
} as const

export type ProjectFile = keyof typeof wanted
export type ProjectFiles = Readonly<Record<ProjectFile, string | null>>

/** `paths` are byte strings; the answer holds the path of each kind of file, or null. */
export function findProjectFiles(paths: Iterable<string>): ProjectFiles {
  const found: Record<ProjectFile, string | null> = {
    readme: null,
    licence: null,
    contributing: null,
    security: null,
    codeOwners: null,
    changelog: null,
    ci: null,
  }
  const depth = (path: string) => path.split('/').length
  for (const path of paths) {
    for (const kind of Object.keys(wanted) as ProjectFile[]) {
      const best = found[kind]
      if (wanted[kind].test(path) && (best === null || depth(path) < depth(best))) found[kind] = path
    }
  }
  return found
}
