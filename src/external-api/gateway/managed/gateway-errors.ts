import { defineErrors } from '../../../foundation/kernel/errors.ts'

export const gatewayErrors = defineErrors({
  'gateway-route-unknown': {
    kind: 'not-found',
    retry: 'never',
    when: 'a request for the gateway fits no managed route of its tenant that is on',
    next: 'compare method, host, path and headers with `leanvibe gateway --action routes`',
  },
  'gateway-route-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no managed route has this id or name',
    next: 'list them with `leanvibe gateway --action routes`',
  },
  'gateway-name-taken': {
    kind: 'conflict',
    retry: 'never',
    when: 'another managed route of the tenant has this name',
    next: 'choose another name, or change the one that is there',
  },
  'gateway-changed': {
    kind: 'conflict',
    retry: 'now',
    when: 'a managed route was changed by somebody else at the same moment',
    next: 'repeat the call',
  },
  'gateway-too-many-routes': {
    kind: 'limit',
    retry: 'never',
    when: 'a tenant has 1,000 managed routes already',
    next: 'remove some, or let one route with parameters stand for several',
  },
  'gateway-definition-refused': {
    kind: 'input',
    retry: 'never',
    when: 'a managed route names a parameter, a secret or a header that it cannot have',
    next: 'correct what the message names',
  },
  'gateway-url-refused': {
    kind: 'input',
    retry: 'never',
    when: 'the URL of an upstream is no URL of a service, carries credentials, or names an address that is refused',
    next: 'use https and a public host; the operator may allow others with `gateway.allow` in leanvibe.yaml',
  },
  'gateway-address-refused': {
    kind: 'unavailable',
    status: 502,
    retry: 'later',
    when: 'an upstream resolves to a private, local or metadata address, or one that is not allowed without TLS',
    next: 'use a public upstream with https; the operator may allow networks with `gateway.allow` in leanvibe.yaml',
  },
  'gateway-path-refused': {
    kind: 'input',
    retry: 'never',
    when: 'the path of a request for the gateway can be read in two ways: dot segments, encoded slashes or control characters',
    next: 'send the path without them',
  },
  'gateway-upgrade-refused': {
    kind: 'input',
    retry: 'never',
    when: 'a request wants to upgrade its connection and the managed route does not allow it',
    next: 'call without an upgrade, or set `upgrades: true` on the route',
  },
  'gateway-loop': {
    kind: 'conflict',
    status: 508,
    retry: 'never',
    when: 'a request for the gateway has passed it several times already: a managed route leads back to it',
    next: 'give the route an upstream that is not the gateway itself',
  },
  'gateway-stopped': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a request comes while the gateway of the tenant is stopped',
    next: 'start it again with `leanvibe gateway --action start`',
  },
  'gateway-no-upstream': {
    kind: 'unavailable',
    retry: 'later',
    when: 'no upstream of the managed route takes requests now: they are unhealthy, their breakers are open, or they are full',
    next: 'look at the upstreams with `leanvibe gateway --action stats`',
  },
  'gateway-upstream-failed': {
    kind: 'unavailable',
    status: 502,
    retry: 'later',
    when: 'an upstream could not be reached, or its answer was broken',
    next: 'look at the upstreams with `leanvibe gateway --action stats`',
  },
  'gateway-upstream-timeout': {
    kind: 'unavailable',
    status: 504,
    retry: 'later',
    when: 'an upstream did not answer within the time of its managed route',
    next: 'look at the upstream, or raise `timeouts.responseMs` of the route',
  },
})
