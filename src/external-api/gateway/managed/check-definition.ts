import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { gatewayErrors } from './gateway-errors.ts'
import type { WriteGatewayRoute } from './route-definition-contract.ts'
import { isReservedRequestHeader, isReservedResponseHeader } from './traffic/header-names.ts'
import { readUpstreamUrl } from './upstreams/upstream-url.ts'

const secretForm = /\$\{\{\s*secrets\.([A-Za-z_]\w{0,99})\s*\}\}/g

/** The names of the secrets that stand in the values of headers. */
export function secretsIn({ requestHeaders }: WriteGatewayRoute): readonly string[] {
  const values = [...Object.values(requestHeaders.set), ...Object.values(requestHeaders.add)]
  return [...new Set(values.flatMap((value) => [...value.matchAll(secretForm)].map((match) => match[1]!)))]
}

export function fillSecrets(value: string, secrets: ReadonlyMap<string, string>): string {
  return value.replace(secretForm, (_, name: string) => secrets.get(name) ?? '')
}

/** What a schema cannot say. Errors: `gateway-definition-refused`, `gateway-url-refused`. */
export function checkDefinition(
  definition: WriteGatewayRoute,
  options: { readonly guard: AddressGuard; readonly secretNames: readonly string[] },
): void {
  const refuse = (why: string) => gatewayErrors['gateway-definition-refused'](why)
  const { match, rewrite, targets, requestHeaders, responseHeaders } = definition
  const names = new Set(targets.map(({ name }) => name))
  if (names.size !== targets.length) throw refuse('two targets have the same name')
  for (const { name, upstreams } of targets) {
    if (new Set(upstreams.map((upstream) => upstream.name)).size !== upstreams.length)
      throw refuse(`two upstreams of ${name} have the same name`)
    for (const { url } of upstreams) readUpstreamUrl(url, options.guard)
  }
  if (targets.every(({ weight }) => weight === 0)) throw refuse('all targets have the weight 0')
  const known = new Set(wordsOf(match.path))
  const unknown = wordsOf(rewrite ?? '').find((word) => !known.has(word))
  if (unknown !== undefined) throw refuse(`rewrite uses ${unknown}, which is not in ${match.path}`)
  const headers = [...Object.keys(requestHeaders.set), ...Object.keys(requestHeaders.add)]
  const reserved = headers.find(isReservedRequestHeader)
  if (reserved !== undefined) throw refuse(`the header ${reserved} of requests is set by the gateway itself`)
  const answered = [...Object.keys(responseHeaders.set), ...Object.keys(responseHeaders.add)]
  const taken = answered.find(isReservedResponseHeader)
  if (taken !== undefined) throw refuse(`the header ${taken} of answers is set by the gateway itself`)
  const secret = secretsIn(definition).find((name) => !options.secretNames.includes(name))
  if (secret !== undefined) throw refuse(`the secret ${secret} is not listed in gateway.secrets of leanvibe.yaml`)
}

function wordsOf(pattern: string): string[] {
  return pattern.split('/').filter((segment) => segment === '*' || segment.startsWith(':'))
}
