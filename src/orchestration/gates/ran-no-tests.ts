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
  // Surefire, of a module.
  /^\[INFO\] (No tests to run|Tests are skipped)\.$/gm,
  /^\[\w+\] Tests run: (\d+), Failures: \d+, Errors: \d+, Skipped: \d+$/gm,
]
const none = new Set(['no test files', 'No tests to run', 'Tests are skipped'])
const goRan = /^ok\s+\S+\s/m

/** How tools say it that end badly for it. */
const endings: readonly RegExp[] = [
  // pytest ends with code 5, which it keeps for this; so does unittest of Python from 3.12 on.
  /^(?:no tests ran|\d+ deselected) in [\d.]+s/m,
  /^NO TESTS RAN$/m,
  // Vitest and Jest.
  /^No test files found, exiting with code 1$/m,
  /^No tests found, exiting with code 1$/m,
]

/**
 * Whether a test command failed for no other reason than that there was nothing to run.
 * @param end how it ended, such as `exit code 5`
 */
export function failedForWantOfTests(end: string, output: string): boolean {
  const text = plain(output)
  const isPython = /^exit code 5$/.test(end)
  return endings.some((pattern, index) => (index > 1 || isPython) && pattern.test(text))
}

/**
 * Whether a test command that ended well says that it ran nothing at all. A command that says nothing is believed.
 * @param output what it printed, without colours or with them
 */
export function ranNoTests(output: string): boolean {
  const text = plain(output)
  const told = counts.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!))
  if (told.length === 0 || goRan.test(text)) return false
  return told.every((count) => none.has(count) || Number(count) === 0)
}

const plain = (output: string) => output.replaceAll(/\u001b\[[0-9;]*m/g, '').replaceAll('\r\n', '\n')
