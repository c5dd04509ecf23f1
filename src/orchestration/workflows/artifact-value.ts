import type { JsonValue } from '../../foundation/kernel/json.ts'

/** What an output stands for that is kept as an artifact: a file, or a value too large to travel. */
export interface ArtifactValue {
  /** The name of the artifact. */
  readonly artifact: string
  readonly bytes: number
  readonly sha256: string
}

const readable: ReadonlySet<unknown> = new Set(['artifact', 'bytes', 'sha256'])

export function isArtifactValue(value: JsonValue): value is JsonValue & ArtifactValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { artifact, bytes, sha256 } = value as Partial<ArtifactValue>
  return (
    typeof artifact === 'string' &&
    Number.isSafeInteger(bytes) &&
    typeof sha256 === 'string' &&
    Object.keys(value).length === readable.size
  )
}

/** Why an expression cannot use what the value stands for. */
export function explainArtifact({ artifact, bytes }: ArtifactValue): string {
  return (
    `${JSON.stringify(artifact)} (${bytes} bytes) is kept as an artifact, as files and large values are: ` +
    'only .artifact, .bytes and .sha256 can be read here'
  )
}

/**
 * An artifact as CEL sees it: a map of which its three keys can be read. Whoever takes it for the value that it stands
 * for gets an error instead of the wrong answer: `size(x)` is not 3, `"a" in x` not false.
 */
export class ArtifactMap extends Map<string, string | bigint> {
  readonly #value: ArtifactValue

  constructor(value: ArtifactValue) {
    super()
    this.#value = value
    // The library tells maps by their constructor.
    Object.defineProperty(this, 'constructor', { value: Map })
    super.set('artifact', value.artifact).set('bytes', BigInt(value.bytes)).set('sha256', value.sha256)
  }

  override get(key: string): string | bigint | undefined {
    return readable.has(key) ? super.get(key) : this.#refuse()
  }

  override get size(): number {
    return this.#refuse()
  }

  override keys(): never {
    return this.#refuse()
  }

  #refuse(): never {
    throw new Error(explainArtifact(this.#value))
  }
}
