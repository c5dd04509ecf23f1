import { expect, it } from 'vitest'
import { LastLine } from './last-line.ts'

function textOf(line: LastLine, ...chunks: readonly string[]): string {
  for (const chunk of chunks) line.write(Buffer.from(chunk))
  return line.text
}

it('is the last line that says something, wherever the stream is cut', () => {
  expect(textOf(new LastLine())).toBe('')
  expect(textOf(new LastLine(), 'one\ntw', 'o\n\n')).toBe('two')
  expect(textOf(new LastLine(), 'x'.repeat(10_000), '\nend')).toBe('end')
})

it('is what is wrong, and not where to read more', () => {
  const missing = 'docker: Error response from daemon: No such image: none:1.'
  expect(textOf(new LastLine(/^See /), `${missing}\nSee 'docker run --help'.\n`)).toBe(missing)
})
