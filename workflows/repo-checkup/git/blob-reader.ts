import type { Repository } from './open-repository.ts'

interface Waiting {
  readonly resolve: (content: Buffer | null) => void
  readonly reject: (error: unknown) => void
}

/** One `git cat-file --batch` process answering reads in order. Dispose ends it. */
export interface BlobReader extends AsyncDisposable {
  /** The content, or null when the object is missing or is no blob. Callers keep large blobs away: it is held whole. */
  read(oid: string): Promise<Buffer | null>
}

export function openBlobReader(repository: Repository, signal?: AbortSignal): BlobReader {
  const questions = createQuestions()
  const waiting: Waiting[] = []
  let failure: unknown = null
  const output = repository.stream(['cat-file', '--batch'], { input: questions.lines(), ...(signal && { signal }) })
  const answered = (async () => {
    try {
      await parseBatch(output, (content) => waiting.shift()?.resolve(content))
      failure = new Error('the blob reader is closed')
    } catch (error) {
      failure = error
    }
    for (const { reject } of waiting.splice(0)) reject(failure)
  })()
  return {
    read(oid) {
      if (failure !== null) return Promise.reject(failure)
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        questions.ask(oid)
      })
    },
    async [Symbol.asyncDispose]() {
      questions.end()
      await answered
    },
  }
}

/** What is still to be asked, as an endless input for git. */
function createQuestions() {
  let pending: string[] = []
  let ended = false
  let wake = () => {}
  return {
    ask(oid: string) {
      pending.push(`${oid}\n`)
      wake()
    },
    end() {
      ended = true
      wake()
    },
    async *lines(): AsyncGenerator<string, void, void> {
      for (;;) {
        if (pending.length > 0) {
          const batch = pending.join('')
          pending = []
          yield batch
        } else if (ended) return
        else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    },
  }
}

/** Parses `<oid> <type> <size>\n<content>\n` and `<oid> missing\n` as the bytes come; `answer` gets null for what is no blob. */
export async function parseBatch(
  chunks: AsyncIterable<Buffer>,
  answer: (content: Buffer | null) => void,
): Promise<void> {
  let parts: Buffer[] = []
  let held = 0
  let wanted = 0 // content bytes and the line feed still needed; 0 while a header is awaited
  let isBlob = false
  for await (const chunk of chunks) {
    parts.push(chunk)
    held += chunk.length
    if (wanted > held) continue
    let bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    for (;;) {
      if (wanted === 0) {
        const end = bytes.indexOf(10)
        if (end < 0) break
        const [, type, size] = bytes.toString('latin1', 0, end).split(' ')
        bytes = bytes.subarray(end + 1)
        if (size === undefined) {
          answer(null)
          continue
        }
        isBlob = type === 'blob'
        wanted = Number(size) + 1
      }
      if (bytes.length < wanted) break
      answer(isBlob ? bytes.subarray(0, wanted - 1) : null)
      bytes = bytes.subarray(wanted)
      wanted = 0
    }
    parts = bytes.length === 0 ? [] : [bytes]
    held = bytes.length
  }
}
