import { readFiles } from '../kit/read-repository.ts'
import { runProgram, type Step } from '../repo-checkup/program.ts'
import { type Finding, plural } from '../repo-checkup/result.ts'

export interface PipelinesFacts {
  readonly files: readonly string[]
  readonly actions: { readonly total: number; readonly pinned: number }
  readonly images: { readonly total: number; readonly pinned: number }
}

const pipelineFile =
  /(^|\/)(\.github\/workflows\/[^/]+\.ya?ml|\.github\/actions\/.+\/action\.ya?ml|\.gitlab-ci\.yml|\.circleci\/config\.yml|azure-pipelines\.yml|bitbucket-pipelines\.yml|Dockerfile[^/]*|[^/]+\.Dockerfile|(docker-)?compose[^/]*\.ya?ml)$/

interface Rule {
  readonly id: string
  readonly score: number
  readonly title: string
  readonly why: string
  readonly next: string
}

const rules = {
  unpinned: {
    id: 'unpinned',
    score: 60,
    title: 'actions of others are not pinned to a commit',
    why: 'Whoever moves the tag runs code with the rights of your CI.',
    next: 'uses: OWNER/NAME@FULL_COMMIT # version; let a bot raise it.',
  },
  images: {
    id: 'images',
    score: 40,
    title: 'images are not pinned to a digest',
    why: 'The same name is another image tomorrow.',
    next: 'IMAGE:TAG@sha256:DIGEST',
  },
  target: {
    id: 'target',
    score: 85,
    title: 'pull requests of strangers run with secrets',
    why: 'pull_request_target together with a checkout of the pull request runs a stranger’s code with your secrets.',
    next: 'Use pull_request, or do not check the pull request out.',
  },
  injection: {
    id: 'injection',
    score: 80,
    title: 'titles and branches of strangers become part of a script',
    why: 'A title such as $(curl ...) is run.',
    next: 'Hand it over through env:, and use "$NAME" in the script.',
  },
  permissions: {
    id: 'permissions',
    score: 45,
    title: 'the token of the workflow has more rights than it needs',
    why: 'Any step, and any action in it, can use them.',
    next: 'permissions: { contents: read } at the top, and more only for the job that needs it.',
  },
  pipe: {
    id: 'pipe',
    score: 55,
    title: 'something from the network is piped into a shell',
    why: 'Whoever serves it runs what they like in your CI.',
    next: 'Fetch it, compare its digest, then run it.',
  },
  root: {
    id: 'root',
    score: 30,
    title: 'images that run as root',
    why: 'What breaks out of the program is root in the container.',
    next: 'USER with a number other than 0, at the end.',
  },
  secrets: {
    id: 'secrets',
    score: 75,
    title: 'secrets in arguments of a build or in variables of an image',
    why: 'They stay in the layers and can be read by whoever has the image.',
    next: 'RUN --mount=type=secret',
  },
} satisfies Record<string, Rule>

type Found = Readonly<Record<keyof typeof rules, string[]>>

/** What pipelines and images do that one would not want, by file and line. Pure. */
export function inspectPipeline(
  path: string,
  text: string,
  found: Found,
  facts: { actions: { total: number; pinned: number }; images: { total: number; pinned: number } },
): void {
  const at = (line: number) => `${path}:${line}`
  const lines = text.split('\n')
  const isAction = path.includes('.github/')
  const isImage = /Dockerfile/i.test(path)
  const stages = new Set([...text.matchAll(/^FROM\s+.*\s+AS\s+(\S+)/gim)].map((match) => match[1]!.toLowerCase()))
  let untrusted = false
  for (const [index, line] of lines.entries()) {
    const number = index + 1
    if (/^\s*#/.test(line)) continue
    const used = /^\s*-?\s*uses:\s*["']?([^"'\s#]+)/.exec(line)?.[1]
    if (isAction && used !== undefined && !used.startsWith('./')) {
      facts.actions.total += 1
      if (/@[0-9a-f]{40}$|@sha256:/.test(used)) facts.actions.pinned += 1
      else if (!/^(actions|github)\//.test(used)) found.unpinned.push(`${at(number)}: ${used.slice(0, 120)}`)
    }
    const image = (isImage ? /^\s*FROM\s+(?:--\S+\s+)*(\S+)/i : /^\s*-?\s*image:\s*["']?([^"'\s#]+)/).exec(line)?.[1]
    if (image !== undefined && image !== 'scratch' && !stages.has(image.toLowerCase()) && !image.includes('$')) {
      facts.images.total += 1
      if (image.includes('@sha256:')) facts.images.pinned += 1
      else found.images.push(`${at(number)}: ${image.slice(0, 120)}`)
    }
    if (/^\s*pull_request_target\b|on:.*pull_request_target/.test(line)) untrusted = true
    if (untrusted && /ref:.*github\.event\.pull_request\.head|github\.head_ref/.test(line))
      found.target.push(at(number))
    if (isAction && /permissions:\s*write-all/.test(line)) found.permissions.push(at(number))
    if (/\b(?:curl|wget)\b[^|\n]*\|\s*(?:sudo\s+)?(?:ba)?sh\b/.test(line)) found.pipe.push(at(number))
    if (isImage && /^\s*(?:ARG|ENV)\s+\w*(?:SECRET|TOKEN|PASSWORD|API_?KEY)\w*/i.test(line))
      found.secrets.push(at(number))
    if (
      isAction &&
      inScript(lines, index) &&
      /\$\{\{\s*github\.(?:event\.(?:issue|pull_request|comment|review|head_commit|discussion)[\w.]*\.(?:title|body|message|ref|label|name|email)|head_ref)/.test(
        line,
      )
    )
      found.injection.push(at(number))
  }
  if (isAction && /\.github\/workflows\//.test(path) && !/^\s*permissions:/m.test(text))
    found.permissions.push(`${path}: no permissions are set`)
  const users = [...text.matchAll(/^\s*USER\s+(\S+)/gim)].map((match) => match[1]!)
  if (isImage && /^\s*FROM\s/im.test(text) && (users.length === 0 || /^(root|0)(:|$)/.test(users.at(-1)!)))
    found.root.push(path)
}

/** Whether a line belongs to the text of a `run:`. */
function inScript(lines: readonly string[], index: number): boolean {
  const own = /^\s*/.exec(lines[index]!)![0].length
  if (/^\s*-?\s*run:/.test(lines[index]!)) return true
  for (let at = index - 1; at >= 0; at--) {
    const line = lines[at]!
    if (line.trim() === '' || /^\s*/.exec(line)![0].length >= own) continue
    return /^\s*-?\s*run:\s*[|>]/.test(line)
  }
  return false
}

export const pipelines: Step<PipelinesFacts> = {
  name: 'pipelines',
  about: 'How CI and images are pinned, what they may do, and whose text they run.',
  async run(context) {
    const { files, limits } = await readFiles(
      context,
      (path, { role }) => pipelineFile.test(path) && role !== 'vendored',
    )
    const found = Object.fromEntries(Object.keys(rules).map((name) => [name, []])) as unknown as Found
    const counts = { actions: { total: 0, pinned: 0 }, images: { total: 0, pinned: 0 } }
    for (const { path, text } of files) inspectPipeline(path, text, found, counts)
    const findings = (Object.keys(rules) as (keyof typeof rules)[]).flatMap((name): Finding[] => {
      const { id, score, title, why, next } = rules[name]
      const places = found[name]
      return places.length === 0
        ? []
        : [
            {
              id: `pipelines/${id}`,
              score,
              title: `${plural(places.length, 'place')}: ${title}`,
              why,
              next,
              evidence: places.slice(0, 10),
            },
          ]
    })
    const none = files.length === 0 ? ['There is no pipeline and no image in the repository that is known here.'] : []
    return {
      facts: { files: files.map(({ path }) => path).slice(0, 50), ...counts },
      findings,
      limits: [...none, ...limits],
    }
  },
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(pipelines, argv)

if (import.meta.main) await main(process.argv.slice(2))
