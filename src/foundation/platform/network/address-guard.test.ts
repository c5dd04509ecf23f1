import type { LookupAddress, LookupAllOptions } from 'node:dns'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAddressGuard as createGuard } from './address-guard.ts'

const refusal = (code: string) => (why: string) => Object.assign(new Error(why), { code })
const refusals = { url: refusal('url-refused'), address: refusal('address-refused') }
const createAddressGuard = (allow: readonly string[], ...rest: [resolve?: typeof import('node:dns').lookup]) =>
  createGuard(allow, refusals, ...rest)

const guard = createAddressGuard([])

describe('addresses', () => {
  test.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '100.100.100.200', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.192', '192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...['168.63.129.16', '::', '::1', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '2001:db8::1', '2001::1'],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:a9fe:a9fe',
      '64:ff9b::10.0.0.1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2002:a9fe:a9fe::1',
    ],
    ...['fe80::1%eth0', 'localhost', ''],
  ])('%s is refused', (address) => {
    expect(guard.permits(address)).toBe(false)
  })

  test.each([
    '1.1.1.1',
    '172.32.0.1',
    '192.0.3.1',
    '100.128.0.1',
    '2606:4700::1111',
    '64:ff9b::1.1.1.1',
    '::ffff:8.8.8.8',
    '2002:808:808::1',
  ])('%s is public', (address) => {
    expect(guard.permits(address)).toBe(true)
  })

  test('an IPv4 address is judged alike in every form an IPv6 address can carry it', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number]
        const words = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
        for (const form of [`::ffff:${address}`, `::ffff:${words}`, `64:ff9b::${words}`, `2002:${words}::`]) {
          expect([form, guard.permits(form)]).toEqual([form, guard.permits(address)])
        }
      }),
    )
  })

  test('the operator may allow networks, and only those', () => {
    const some = createAddressGuard(['127.0.0.1', '10.1.0.0/16', 'fd00::/8'])
    expect(['127.0.0.1', '10.1.255.1', 'fd12::1', '1.1.1.1'].every((address) => some.permits(address))).toBe(true)
    expect(['127.0.0.2', '10.2.0.1', 'fe80::1', '169.254.169.254'].some((address) => some.permits(address))).toBe(false)
    expect(() => createAddressGuard(['10.0.0.0/33'])).toThrow(/no network/)
    expect(() => createAddressGuard(['example.org'])).toThrow(/no network/)
  })
})

describe('URLs', () => {
  test.each([
    ...[
      'http://example.org/',
      'ftp://example.org/',
      'https://user:pw@example.org/',
      'example.org',
      'https://',
      'file:///etc/passwd',
    ],
    // The URL parser knows all ways to write an address.
    ...[
      'https://127.0.0.1/',
      'https://2130706433/',
      'https://0x7f.1/',
      'https://0177.0.0.1/',
      'https://127.1/',
      'https://[::1]/',
    ],
    ...[
      'https://[::ffff:169.254.169.254]/latest/meta-data',
      'https://169.254.169.254/latest/meta-data',
      'https://１２７.0.0.1/',
    ],
  ])('%s is refused', (url) => {
    expect(() => guard.checkUrl(url)).toThrow(expect.objectContaining({ code: 'url-refused' }))
  })

  test('https to a name or a public address may be tried; plain http only where the operator allows the address', () => {
    expect(guard.checkUrl('https://example.org/hook?x=1').href).toBe('https://example.org/hook?x=1')
    expect(guard.checkUrl('https://1.1.1.1/').hostname).toBe('1.1.1.1')
    expect(createAddressGuard(['127.0.0.1']).checkUrl('http://127.0.0.1:8080/').port).toBe('8080')
  })
})

describe('look-up', () => {
  const resolving = (...addresses: string[]) => {
    const resolve = (_: string, __: LookupAllOptions, done: (error: null, found: LookupAddress[]) => void) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
    return createAddressGuard([], resolve as unknown as typeof import('node:dns').lookup)
  }
  const ask = (of: ReturnType<typeof resolving>, all: boolean) =>
    new Promise<unknown>((resolve) => of.lookup('x.example', { all }, (error, found) => resolve(error ?? found)))

  test('passes on only what is permitted, so that a name cannot lead inside', async () => {
    const mixed = resolving('10.0.0.1', '1.1.1.1', '::1')
    expect(await ask(mixed, false)).toBe('1.1.1.1')
    expect(await ask(mixed, true)).toEqual([{ address: '1.1.1.1', family: 4 }])
  })

  test('fails where nothing is left', async () => {
    const error = await ask(resolving('169.254.169.254', 'fd00:ec2::254'), true)
    expect(error).toMatchObject({ code: 'address-refused' })
    expect(await ask(resolving(), false)).toMatchObject({ code: 'address-refused' })
  })

  test('what travels in the clear goes to allowed addresses only', async () => {
    const open = (_: string, __: LookupAllOptions, done: (error: null, found: LookupAddress[]) => void) =>
      done(null, [
        { address: '1.1.1.1', family: 4 },
        { address: '10.0.0.1', family: 4 },
      ])
    const of = createAddressGuard(['10.0.0.0/8'], open as unknown as typeof import('node:dns').lookup)
    const found = await new Promise((resolve) =>
      of.lookupAllowed('x.example', { all: true }, (error, all) => resolve(error ?? all)),
    )
    expect(found).toEqual([{ address: '10.0.0.1', family: 4 }])
  })
})
