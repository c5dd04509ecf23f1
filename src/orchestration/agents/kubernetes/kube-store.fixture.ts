import { randomUUID } from 'node:crypto'
import type { KubeObject } from './kube-types.ts'

export type Stored = KubeObject & {
  metadata: KubeObject['metadata'] & {
    ownerReferences?: readonly { readonly kind: string; readonly name: string }[]
  }
  spec?: Record<string, unknown>
  status?: Record<string, unknown>
}
export interface StoredEvent {
  readonly version: number
  readonly collection: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: Stored
}

/** Objects by the path of their collection and their name, with the history that watches are served from. */
export class KubeStore {
  readonly #objects = new Map<string, Stored>()
  readonly events: StoredEvent[] = []
  version = 100
  /** Watches from before it are told 410. */
  oldest = 0
  onEvent: (event: StoredEvent) => void = () => {}

  create(collection: string, given: Stored): Stored | null {
    const key = `${collection}/${given.metadata.name}`
    if (this.#objects.has(key)) return null
    const uid = randomUUID()
    const object = { ...given, metadata: { ...given.metadata, uid, creationTimestamp: new Date().toISOString() } }
    return this.#put('ADDED', collection, object as Stored)
  }

  get(collection: string, name: string): Stored | null {
    return this.#objects.get(`${collection}/${name}`) ?? null
  }

  list(collection: string, selector: string): Stored[] {
    const wanted = selector.split(',').filter((part) => part !== '')
    return [...this.#objects].flatMap(([key, object]) => {
      if (key.slice(0, key.lastIndexOf('/')) !== collection) return []
      return wanted.every((part) => matches(object, part)) ? [object] : []
    })
  }

  all(): string[] {
    return [...this.#objects.keys()].sort()
  }

  update(collection: string, name: string, change: (object: Stored) => Stored): Stored | null {
    const found = this.get(collection, name)
    return found === null ? null : this.#put('MODIFIED', collection, change(found))
  }

  delete(collection: string, name: string): Stored | null {
    const found = this.get(collection, name)
    if (found === null) return null
    this.#objects.delete(`${collection}/${name}`)
    this.#record('DELETED', collection, found)
    return found
  }

  #put(type: 'ADDED' | 'MODIFIED', collection: string, object: Stored): Stored {
    const resourceVersion = String(this.version + 1)
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion } }
    this.#objects.set(`${collection}/${object.metadata.name}`, stored)
    this.#record(type, collection, stored)
    return stored
  }

  #record(type: StoredEvent['type'], collection: string, object: Stored): void {
    this.version += 1
    const event = {
      ...{ version: this.version, collection, type },
      object: { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } },
    }
    this.events.push(event)
    this.onEvent(event)
  }
}

export function matches(object: KubeObject, part: string): boolean {
  const [name = '', value = ''] = part.split('=')
  return object.metadata.labels?.[name] === value
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = mergePatch(result[name], value)
  }
  return result
}
