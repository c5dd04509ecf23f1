import { expect, it } from 'vitest'
import { hostEnvironment } from './host-environment.ts'

it('lets the named variables through and nothing else', () => {
  const host: Record<string, string> = {
    PATH: '/bin',
    HOME: '/home/ann',
    AWS_SECRET_ACCESS_KEY: 'x',
    TERM: 'xterm',
    TZ: '',
  }
  expect(hostEnvironment(['PATH', 'HOME', 'TZ', 'TERM', 'MISSING'], (name) => host[name])).toEqual({
    PATH: '/bin',
    HOME: '/home/ann',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
  })
  expect(hostEnvironment([], () => 'x').PATH).toBe('/usr/local/bin:/usr/bin:/bin')
})
