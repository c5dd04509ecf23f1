import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parse } from 'yaml'
import { writeGatewayRouteSchema } from '../../external-api/gateway/managed/route-definition-contract.ts'
import { messageOf } from '../../foundation/kernel/errors.ts'
import { parseWith, type z } from '../../foundation/kernel/schema.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import { type GatewayCliOptions, need } from './gateway-options.ts'

/** `cookie`, the name of a header, or `none`. */
export type AffinityInput = string
export type GatewayRouteInput = z.input<typeof writeGatewayRouteSchema>

/** What options say goes before what the file, or the route that is there, says. The rest has its defaults. */
export async function routeFromOptions(
  context: CliContext,
  options: GatewayCliOptions,
  present: Partial<GatewayRouteInput> = {},
): Promise<z.output<typeof writeGatewayRouteSchema>> {
  const file = options.file === undefined ? present : await readDefinition(context, options.file)
  const value = { ...file, ...given(options, file) }
  if (value.targets === undefined) need(options, 'upstream', options.upstream)
  if (value.match === undefined) need(options, 'path', options.path)
  return parseWith(writeGatewayRouteSchema, value, options.file ?? 'the route')
}

function given(
  options: GatewayCliOptions,
  file: Partial<GatewayRouteInput>,
): Partial<Record<keyof GatewayRouteInput, unknown>> {
  const { name, path, method, host, upstream, strategy, rewrite, affinity, health, rate, permission } = options
  const match = {
    ...file.match,
    ...(path === undefined ? {} : { path }),
    ...(method === undefined ? {} : { methods: method.map((word) => word.toUpperCase()) }),
    ...(host === undefined ? {} : { hosts: host }),
  }
  return {
    ...(name === undefined ? {} : { name }),
    ...(Object.keys(match).length === 0 ? {} : { match }),
    ...(upstream === undefined ? {} : { targets: targetsOf(options) }),
    ...(strategy === undefined ? {} : { strategy }),
    ...unlessNone('rewrite', rewrite, (path) => path),
    ...unlessNone('affinity', affinity, (how) => (how === 'cookie' ? { by: how } : { by: 'header', header: how })),
    ...unlessNone('health', health, (path) => ({ path })),
    ...unlessNone('rate', rate, rateOf),
    ...(permission === undefined ? {} : { permission }),
  }
}

/** `none` takes away what the file, or the route that is there, says. */
function unlessNone(name: string, text: string | undefined, read: (text: string) => unknown): object {
  if (text === undefined) return {}
  return { [name]: text === 'none' ? null : read(text) }
}

/** With a canary, its weight is its percentage of all requests. */
function targetsOf({ upstream = [], canary = [], canaryWeight = 10 }: GatewayCliOptions): GatewayRouteInput['targets'] {
  const upstreams = (urls: readonly string[]) => urls.map((url, n) => ({ name: `u${n + 1}`, url }))
  if (canary.length === 0) return [{ name: 'main', upstreams: upstreams(upstream) }]
  return [
    { name: 'main', weight: 100 - canaryWeight, upstreams: upstreams(upstream) },
    { name: 'canary', weight: canaryWeight, upstreams: upstreams(canary) },
  ]
}

function rateOf(text: string): { requests: number; seconds: number } {
  const [, requests, time] = /^(\d{1,9})\/(.+)$/.exec(text) ?? []
  if (requests === undefined || time === undefined)
    throw cliErrors.usage('--rate: expected requests in a time, such as 100/1m, or none')
  return { requests: Number(requests), seconds: Math.ceil(parseDuration(time) / 1_000) }
}

async function readDefinition({ cwd }: CliContext, path: string): Promise<Partial<GatewayRouteInput>> {
  const file = resolve(cwd, path)
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw cliErrors.usage(`--file: ${file} cannot be read`, { cause })
  })
  try {
    const value: unknown = parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Partial<GatewayRouteInput>
  } catch (cause) {
    throw cliErrors.usage(`--file: ${file}: ${messageOf(cause)}`, { cause })
  }
  throw cliErrors.usage(`--file: ${file} holds no route`)
}
