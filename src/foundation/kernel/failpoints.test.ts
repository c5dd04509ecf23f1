import { spawnSync } from 'node:child_process'
import { afterEach, expect, test } from 'vitest'
import { armFailpoints, failpoint, watchFailpoints } from './failpoints.ts'

afterEach(() => {
  armFailpoints('')
  watchFailpoints(null)
})

test('a point that is not armed lets everything pass', () => {
  armFailpoints('some.other=error')
  expect(() => failpoint('commit.before')).not.toThrow()
})

test('an armed point fails once, the first time or the one that is named', () => {
  armFailpoints('commit.before=error; commit.after=error@3')
  expect(() => failpoint('commit.before')).toThrow('failpoint commit.before')
  expect(() => failpoint('commit.before')).not.toThrow()
  failpoint('commit.after')
  failpoint('commit.after')
  expect(() => failpoint('commit.after')).toThrow('failpoint commit.after')
  expect(() => failpoint('commit.after')).not.toThrow()
})

test.each(['commit', 'commit=explode', 'Commit=kill', 'commit=kill@', 'commit=kill@x'])('%s is refused', (text) => {
  expect(() => armFailpoints(text)).toThrow(`failpoint ${JSON.stringify(text)} is not name=kill|error[@n]`)
})

test('a listener hears every name that is passed, armed or not', () => {
  const names: string[] = []
  watchFailpoints((name) => names.push(name))
  failpoint('a')
  armFailpoints('b=error@2')
  failpoint('b')
  watchFailpoints(null)
  failpoint('c')
  expect(names).toEqual(['a', 'b'])
})

test('kill ends the process as nothing in it can prevent', () => {
  const program = `
    import { armFailpoints, failpoint } from ${JSON.stringify(new URL('./failpoints.ts', import.meta.url).href)}
    process.on('exit', () => console.log('said goodbye'))
    armFailpoints('x=kill')
    try { failpoint('x') } finally { console.log('went on') }`
  const { signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  expect(signal).toBe('SIGKILL')
  expect(stdout).not.toContain('said goodbye')
})
