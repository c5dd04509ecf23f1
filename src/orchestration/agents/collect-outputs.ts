import { createReadStream, createWriteStream } from 'node:fs'
import { glob, lstat, readdir, realpath } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import type { ArtifactSink } from '../runners/artifact-sink.ts'
import { agentErrors } from '../runners/attempt-errors-contract.ts'
import type { ArtifactRef, Assignment } from '../runners/exchange-contract.ts'
import type { OutputSource } from '../workflows/workflow-contract.ts'
import type { StdoutCapture } from './stdout-capture.ts'

export interface OutputLimits {
  /** Bytes up to which an output travels by value. Default 64 KiB. */
  readonly outputBytes: number
  /** Bytes that one artifact may have. Default 1 GiB. */
  readonly artifactBytes: number
}

export const defaultOutputLimits: OutputLimits = { outputBytes: 65_536, artifactBytes: 1_073_741_824 }

export interface OutputsContext {
  readonly assignment: Assignment
  readonly workdir: string
  readonly outdir: string
  readonly tempdir: string
  readonly masker: SecretMasker
  readonly artifacts: ArtifactSink
  readonly limits: OutputLimits
  readonly signal: AbortSignal
}

const largestJson = 64 * 1_048_576
const mostFiles = 1_000

/**
 * What a step puts out: small values as they are, larger ones and files as `{ artifact, bytes, sha256 }`, next to the
 * artifact itself. Values and files are masked.
 * @throws output-invalid, output-missing, output-too-large
 */
export async function collectOutputs(
  outputs: Readonly<Record<string, OutputSource>>,
  stdout: StdoutCapture | null,
  context: OutputsContext,
): Promise<{ output: JsonObject; artifacts: ArtifactRef[] }> {
  const artifacts: ArtifactRef[] = []
  const output: Record<string, JsonValue> = {}
  for (const [name, source] of Object.entries(outputs)) {
    output[name] = await collect(name, source, stdout, context, artifacts)
  }
  return { output, artifacts }
}

async function collect(
  name: string,
  source: OutputSource,
  stdout: StdoutCapture | null,
  context: OutputsContext,
  artifacts: ArtifactRef[],
): Promise<JsonValue> {
  const keep = async (ref: Promise<ArtifactRef>) => {
    const { name: artifact, bytes, sha256 } = remember(artifacts, await ref)
    return { artifact, bytes, sha256 }
  }
  switch (source.from) {
    case 'stdout': {
      stdout!.refuseTooLarge()
      if (stdout!.path !== null) return keep(store(`${name}.txt`, { path: stdout!.path }, 0, context))
      return context.masker.text((await stdout!.text()).replace(/\r?\n$/, ''))
    }
    case 'json': {
      const value = context.masker.json(parseOutput(name, source.select, stdout!.bytes, await stdout!.text()))
      const text = JSON.stringify(value)
      if (Buffer.byteLength(text) <= context.limits.outputBytes) return value
      return keep(store(`${name}.json`, { data: Buffer.from(text) }, Buffer.byteLength(text), context))
    }
    case 'file':
      return keep(keepFile(source.path, context))
    case 'files': {
      const found: JsonValue[] = []
      for (const path of await matchFiles(source.paths, context)) found.push(await keep(keepFile(path, context)))
      return found
    }
  }
}

/** Everything the work wrote to its output folder. */
export async function collectOutdir(context: OutputsContext): Promise<ArtifactRef[]> {
  const artifacts: ArtifactRef[] = []
  for (const entry of await readdir(context.outdir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    if (artifacts.length >= mostFiles) throw agentErrors['output-too-large'](`more than ${mostFiles} files are put out`)
    const bytes = (await lstat(path)).size
    remember(artifacts, await store(relative(context.outdir, path), { path }, bytes, context))
  }
  return artifacts
}

function parseOutput(name: string, select: string | undefined, bytes: number, text: string): JsonValue {
  if (bytes > largestJson) throw agentErrors['output-too-large'](`output ${name}: ${bytes} bytes are too much for JSON`)
  let value: JsonValue | undefined
  try {
    value = JSON.parse(text) as JsonValue
  } catch (cause) {
    const start = JSON.stringify(text.trim().slice(0, 80))
    throw agentErrors['output-invalid'](`output ${name}: standard output is not JSON; it begins with ${start}`, {
      cause,
    })
  }
  for (const key of select?.split('.') ?? []) {
    const inner: JsonValue | undefined =
      typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as JsonObject)[key] : undefined
    if (inner === undefined) throw agentErrors['output-invalid'](`output ${name}: the JSON has no ${select}`)
    value = inner
  }
  return value
}

async function keepFile(path: string, context: OutputsContext): Promise<ArtifactRef> {
  for (const folder of [context.workdir, context.outdir]) {
    const file = await fileInside(folder, path)
    if (file !== null) return store(path, file, file.bytes, context)
  }
  throw agentErrors['output-missing'](`there is no file ${JSON.stringify(path)} in the workspace`)
}

async function matchFiles(patterns: readonly string[], context: OutputsContext): Promise<string[]> {
  const found = new Set<string>()
  for (const folder of [context.workdir, context.outdir]) {
    for await (const path of glob([...patterns], { cwd: folder })) {
      if ((await fileInside(folder, path)) === null) continue
      found.add(path)
      if (found.size > mostFiles) throw agentErrors['output-too-large'](`more than ${mostFiles} files match`)
    }
  }
  return [...found].sort()
}

/** An ordinary file, in the folder also when all links are followed: one that leads out would carry files of the host away. */
async function fileInside(folder: string, path: string): Promise<{ path: string; bytes: number } | null> {
  const real = await realpath(join(folder, path)).catch(() => null)
  if (real === null || !real.startsWith((await realpath(folder)) + sep)) return null
  const stat = await lstat(real)
  return stat.isFile() ? { path: real, bytes: stat.size } : null
}

/** A file without the secrets that the work was given; itself where it was given none. */
async function maskedFile(path: string, context: OutputsContext): Promise<string> {
  if (context.masker.empty) return path
  const masked = join(context.tempdir, 'masked-output')
  const stream = context.masker.stream()
  await pipeline(
    createReadStream(path),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) yield stream.write(chunk)
      yield stream.end()
    },
    createWriteStream(masked),
  )
  return masked
}

async function store(
  name: string,
  content: { readonly path: string } | { readonly data: Uint8Array },
  bytes: number,
  context: OutputsContext,
): Promise<ArtifactRef> {
  const { assignment, artifacts, limits, signal } = context
  if (bytes > limits.artifactBytes) {
    throw agentErrors['output-too-large'](`${name} has ${bytes} bytes; artifacts may have ${limits.artifactBytes}`)
  }
  const { tenant, runId, taskId } = assignment
  const kept = 'path' in content ? { path: await maskedFile(content.path, context) } : content
  const stored = await artifacts.store({ tenant, runId, taskId }, kept, signal)
  return { name, mediaType: mediaTypes[extname(name).toLowerCase()] ?? 'application/octet-stream', ...stored }
}

/** One name, one artifact: a file that is both declared and in the output folder is kept once. */
export function remember(artifacts: ArtifactRef[], artifact: ArtifactRef): ArtifactRef {
  if (!artifacts.some((other) => other.name === artifact.name)) artifacts.push(artifact)
  return artifact
}

const mediaTypes: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.diff': 'text/x-diff',
  '.html': 'text/html',
  '.json': 'application/json',
  '.log': 'text/plain',
  '.md': 'text/markdown',
  '.ndjson': 'application/x-ndjson',
  '.patch': 'text/x-diff',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.xml': 'application/xml',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
}
