import { InvalidArgumentError } from 'commander'

/** For `.option(..., wholeNumber)`: 1, 2, 3 and so on. */
export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('expected a whole number from 1 up.')
  return value
}

/** For repeated `--input name=value`; a value may itself hold `=`. */
export function keyValue(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const cut = text.indexOf('=')
  if (cut < 1) throw new InvalidArgumentError('expected name=value.')
  return { ...before, [text.slice(0, cut)]: text.slice(cut + 1) }
}
