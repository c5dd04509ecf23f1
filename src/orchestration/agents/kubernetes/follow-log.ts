import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { KubeClient } from './kube-client.ts'

const newline = Buffer.from('\n')

/**
 * The output of a container from its beginning to its end, each line once: a stream that breaks off goes on after the
 * last line that came. Lines carry the time of their node, by which they are told apart.
 * @param ended whether the container has ended, so that the end of a stream is the end of the log
 */
export async function followLog(
  client: KubeClient,
  place: { readonly namespace: string; readonly pod: string; readonly container: string },
  take: (chunk: Buffer) => void | Promise<void>,
  ended: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const path = `/api/v1/namespaces/${place.namespace}/pods/${place.pod}/log`
  let last = ''
  /** Lines of that very moment that have come. */
  let same = 0
  for (let failures = 0; !signal.aborted; ) {
    // Before the stream is asked for: what ends in the meantime is in it.
    const final = ended()
    const since = last === '' ? {} : { sinceTime: secondOf(last) }
    let repeated = 0
    try {
      const query = { container: place.container, follow: true, timestamps: true, ...since }
      for await (const line of client.lines(path, query, signal)) {
        const space = line.indexOf(32)
        const at = space === -1 ? '' : line.subarray(0, space).toString('latin1')
        if (at < last) continue
        if (at === last) {
          repeated += 1
          if (repeated <= same) continue
          same += 1
        } else {
          last = at
          same = 1
          repeated = 1
        }
        failures = 0
        await take(Buffer.concat([line.subarray(space + 1), newline]))
      }
      if (final) return
    } catch (error) {
      if (signal.aborted) return
      // Nothing can be had of a pod that is gone, or not by us.
      if (isAppError(error, 'kube-refused') || (isAppError(error, 'kube-failed') && ended())) throw error
    }
    failures += 1
    await sleep(Math.min(5_000, 100 * 2 ** failures), undefined, { signal }).catch(() => {})
  }
}

/** The API counts whole seconds: those lines of the second come again and are left out. */
function secondOf(time: string): string {
  return `${time.slice(0, 19)}Z`
}
