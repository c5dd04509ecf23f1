import { expect, it } from 'vitest'
import { hostEnvironment } from './host-environment.ts'

it('lets the listed variables through and nothing else', () => {
  const host = { PATH: '/bin', HOME: '/home/ann', AWS_SECRET_ACCESS_KEY: 'x', NODE_OPTIONS: '--inspect', API_KEY: 'k' }
  expect(hostEnvironment(host)).toEqual({
    PATH: '/bin',
    HOME: '/home/ann',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
  })
  expect(hostEnvironment(host, ['API_KEY', 'MISSING'])).toMatchObject({ API_KEY: 'k' })
  expect(hostEnvironment({ TERM: 'xterm', PATH: '' })).toMatchObject({
    TERM: 'dumb',
    PATH: '/usr/local/bin:/usr/bin:/bin',
  })
})
