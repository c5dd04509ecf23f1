import { CappedOutput } from '../../foundation/platform/processes/index.ts'
import type { MaskStream, SecretMasker } from '../../foundation/platform/secrets/index.ts'

type StreamName = 'stdout' | 'stderr'
type Emit = (stream: StreamName, bytes: Uint8Array) => void | Promise<void>

/** The output of one attempt on its way to the log: secrets masked, then capped, each stream by itself. */
export class AttemptLog {
  readonly #streams: Readonly<Record<StreamName, { readonly mask: MaskStream; readonly capped: CappedOutput }>>
  #ended = false

  constructor(masker: SecretMasker, capBytes: number, emit: Emit) {
    const open = (stream: StreamName) => ({
      mask: masker.stream(),
      capped: new CappedOutput((bytes) => emit(stream, bytes), capBytes),
    })
    this.#streams = { stdout: open('stdout'), stderr: open('stderr') }
  }

  write(stream: StreamName, chunk: Uint8Array): void | Promise<void> {
    if (this.#ended) return
    const { mask, capped } = this.#streams[stream]
    const bytes = mask.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    if (bytes.length > 0) return capped.write(bytes)
  }

  /** Passes on what was held back. */
  async end(): Promise<void> {
    this.#ended = true
    for (const { mask, capped } of Object.values(this.#streams)) {
      const rest = mask.end()
      if (rest.length > 0) await capped.write(rest)
      await capped.finish()
    }
  }
}
