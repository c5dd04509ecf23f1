import { defineErrors } from '../../foundation/kernel/errors.ts'

export const keyErrors = defineErrors({
  'key-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'the tenant has no key of this id',
    next: 'look for it with `leanvibe keys list`',
  },
  'key-not-active': {
    kind: 'conflict',
    retry: 'never',
    when: 'a key that has expired or was revoked is to be rotated',
    next: 'make a new one with `leanvibe keys create`',
  },
  'key-beyond-giver': {
    kind: 'forbidden',
    retry: 'never',
    when: 'a key or role is to be given that allows more than the one who gives it may do',
    next: 'give less, or let an owner do it',
  },
  'key-networks-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'an address or range of an allow-list is not one',
    next: 'write addresses as 192.0.2.7 or 2001:db8::7, ranges as 10.0.0.0/8',
  },
  'key-network-refused': {
    kind: 'forbidden',
    retry: 'never',
    when: 'a key is used from an address outside of the networks that it was made for',
    next: 'call from one of its networks, or have a key made for this one: `leanvibe keys create --network`',
  },
  'tenant-suspended': {
    kind: 'forbidden',
    retry: 'never',
    when: 'somebody calls for a tenant that is suspended',
    next: 'ask who runs the installation; `leanvibe tenants resume` lets everybody in again, and nothing is lost',
  },
  'not-a-runner': {
    kind: 'forbidden',
    retry: 'never',
    when: 'a runner token is renewed by something else than a runner token',
    next: 'make the first one with POST /api/v1/runner-tokens',
  },
})
