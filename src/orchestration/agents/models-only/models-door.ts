import { listenInside, type NetworkOf, processErrors } from '../../../foundation/platform/processes/index.ts'
import { forwardModels, type ModelForwarder } from './forward-models.ts'

/** Where the model gateway is in a place that reaches nothing else. */
export const insidePort = 7_420
export const insideUrl = `http://127.0.0.1:${insidePort}`

/** The variables of an attempt as they are in such a place, with where the gateway really is. @throws network-unreachable */
export function redirected(env: Readonly<Record<string, string>>): {
  readonly gateway: string
  readonly env: Readonly<Record<string, string>>
} {
  const { ANTHROPIC_BASE_URL: url } = env
  if (url === undefined || env.OPENAI_BASE_URL === undefined)
    throw processErrors['network-unreachable']('its pool has no `models`, so there is nothing it could reach')
  const moved = { OPENAI_BASE_URL: `${insideUrl}/v1`, ANTHROPIC_BASE_URL: insideUrl }
  return { gateway: new URL(url).origin, env: { ...env, ...moved } }
}

/** Opens the way from the network of a process to the model gateway. @throws network-unreachable */
export async function openModelsDoor(of: NetworkOf, gateway: string, signal: AbortSignal): Promise<ModelForwarder> {
  return forwardModels(await listenInside(of, insidePort, signal), gateway)
}

/** Waits for `file` and becomes the program behind it: so nothing of it runs before its way to the models is open. */
export function waitingFor(
  file: string,
  program: readonly string[],
): { readonly file: string; readonly args: string[] } {
  const wait = 'while [ ! -e "$0" ]; do sleep 0.05 2>/dev/null || sleep 1; done; exec "$@"'
  return { file: 'sh', args: ['-c', wait, file, ...program] }
}
