import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { LogChunk, LogSink } from '../runners/log-sink.ts'
import { type Turn, TurnWatch } from './sequences.ts'

/** An attempt whose output goes round in a circle. */
export interface CirclingOutput {
  readonly tenant: TenantId
  readonly runId: RunId
  readonly taskId: TaskId
  readonly fence: number
  readonly step: string
  readonly turn: Turn
  readonly line: string
}

/** Different lines that may take turns and still count as a circle. */
const longestCircle = 12
const keptLine = 400
/** Attempts watched at a time; the one that was silent for longest makes room. */
const mostWatched = 2_000

interface Watched {
  readonly turns: TurnWatch
  chunk: LogChunk
  rest: string
  line: string
}

/** Looks at what attempts print on its way to where it is kept: an agent in a loop says the same again and again. */
export class OutputWatch {
  readonly #attempts = new Map<string, Watched>()
  readonly #decoder = new TextDecoder()

  /** The same sink, looked at. */
  listenTo(sink: LogSink): LogSink {
    return {
      append: async (chunks) => {
        await sink.append(chunks)
        for (const chunk of chunks) this.#take(chunk)
      },
    }
  }

  /** Attempts whose last `lines` lines, or more, are such a circle. Each is told until it says something else. */
  circling(lines: number): readonly CirclingOutput[] {
    return [...this.#attempts.values()].flatMap(({ turns, chunk, line }) => {
      const { turn } = turns
      if (turn === null || turn.length < lines) return []
      const { tenant, runId, taskId, fence, step } = chunk
      return [{ tenant, runId, taskId, fence, step, turn, line }]
    })
  }

  /** Forgets an attempt: what it said up to now was looked at. */
  forget(taskId: string): void {
    for (const [key, { chunk }] of this.#attempts) if (chunk.taskId === taskId) this.#attempts.delete(key)
  }

  #take(chunk: LogChunk): void {
    const key = `${chunk.fence}/${chunk.stream}`
    const watched = this.#attempts.get(key) ?? { turns: new TurnWatch(longestCircle), chunk, rest: '', line: '' }
    this.#attempts.delete(key)
    this.#attempts.set(key, watched)
    if (this.#attempts.size > mostWatched) this.#attempts.delete(this.#attempts.keys().next().value!)
    // A chunk that comes twice is known by its number.
    if (chunk !== watched.chunk && chunk.seq <= watched.chunk.seq) return
    watched.chunk = chunk
    const lines = (watched.rest + this.#decoder.decode(chunk.bytes)).split('\n')
    watched.rest = lines.pop()!.slice(-keptLine)
    for (const line of lines) {
      if (line.trim() === '') continue
      watched.line = line.slice(0, keptLine)
      watched.turns.take(watched.line)
    }
  }
}
