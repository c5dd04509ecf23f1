/** How tools say that they found nothing to run; by the first group, how many they ran. */
const counts: readonly RegExp[] = [
  // unittest; Python before 3.12 ends well even so.
  /^Ran (\d+) tests? in /gm,
  // node --test, in both of its forms.
  /^(?:# |ℹ )tests (\d+)$/gm,
  // cargo, once for each crate and for the documentation.
  /^running (\d+) tests?$/gm,
  // go, of a package.
  /^\?\s+\S+\s+\[(no test files)\]$/gm,
]
const goRan = /^ok\s+\S+\s/m

/**
 * Whether a test command that ended well says that it ran nothing at all. A command that says nothing is believed.
 * @param output what it printed, without colours or with them
 */
export function ranNoTests(output: string): boolean {
  const text = output.replaceAll(/\u001b\[[0-9;]*m/g, '').replaceAll('\r\n', '\n')
  const told = counts.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!))
  if (told.length === 0 || goRan.test(text)) return false
  return told.every((count) => count === 'no test files' || Number(count) === 0)
}
