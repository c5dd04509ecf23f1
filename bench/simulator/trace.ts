import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One request of the trace. */
export interface TracedRequest {
  /** Milliseconds since the first request. */
  readonly at: number
  readonly contextTokens: number
  readonly generatedTokens: number
}

/** Where the trace is looked for when `LEANVIBE_BENCH_TRACE` does not say: beside the project, never in it. */
const usualPlace = fileURLToPath(new URL('../../../shared/data/azure-llm/code.csv', import.meta.url))

/**
 * The requests of an hour to a code model, from the Azure LLM inference trace 2023: TIMESTAMP, ContextTokens,
 * GeneratedTokens. Ordered by time.
 */
export function readTrace(path = process.env.LEANVIBE_BENCH_TRACE ?? usualPlace): readonly TracedRequest[] {
  return parseTrace(readText(path), path)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(
      `the bench replays AzureLLMInferenceTrace_code.csv (Azure Public Dataset, 2023), which is not at ${path}: ` +
        'put it there, or name its place in LEANVIBE_BENCH_TRACE',
      { cause: error },
    )
  }
}

export function parseTrace(text: string, name: string): readonly TracedRequest[] {
  const rows = text
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '')
    .map((line, n) => {
      const [time = '', context, generated] = line.split(',')
      const [contextTokens, generatedTokens] = [Number(context), Number(generated)]
      const at = Date.parse(`${time.trim().slice(0, 23).replace(' ', 'T')}Z`)
      if (![at, contextTokens, generatedTokens].every(Number.isFinite))
        throw new Error(`${name}, line ${n + 2}: expected a time and two numbers, found ${JSON.stringify(line)}`)
      return { at, contextTokens, generatedTokens }
    })
    .sort((a, b) => a.at - b.at)
  const first = rows[0]
  if (first === undefined) throw new Error(`${name} holds no requests`)
  return rows.map((row) => ({ ...row, at: row.at - first.at }))
}
