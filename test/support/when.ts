import { describe, test } from 'vitest'

/**
 * A test that only some machines can run. Where it cannot, it is not defined, and a line says so: a skipped test would
 * look as if it could be run.
 */
export function testWhen(condition: unknown, otherwise: string): typeof test {
  return condition ? test : (tellInstead(otherwise) as typeof test)
}

export function describeWhen(condition: unknown, otherwise: string): typeof describe {
  return condition ? describe : (tellInstead(otherwise) as typeof describe)
}

function tellInstead(otherwise: string) {
  return (name: string) => {
    console.log(`not run here: ${name} (${otherwise})`)
  }
}
