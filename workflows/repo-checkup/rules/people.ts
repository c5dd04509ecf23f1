import { showText } from '../git/path-name.ts'

export interface Person {
  readonly id: number
  /** Ready to show. */
  readonly name: string
  readonly bot: boolean
}

export interface People {
  /** The person behind a commit's name and address. */
  of(name: string, email: string): Person
  readonly all: readonly Person[]
}

const bots =
  /\[bot\]|^(dependabot|renovate|greenkeeper|github[- ]actions?|snyk[- ]bot|pre-commit-ci|semantic-release|travis ci|codecov|imgbot|allcontributors|weblate|mergify|kodiakhq|web-flow|k8s-ci-robot|gopherbot|release-please|deepsource|restyled)\b|\bbot@|-bot$|^bot\b/i

/**
 * Tells people apart after .mailmap: the same address, or the same name of two words or more, is the same person.
 * Names of one word ("root", "admin") are too common to join by.
 */
export function createPeople(): People {
  const byEmail = new Map<string, Person>()
  const byName = new Map<string, Person>()
  const all: Person[] = []
  return {
    all,
    of(name, email) {
      const address = email.trim().toLowerCase()
      const known = byEmail.get(address)
      if (known !== undefined && address !== '') return known
      const full = name.trim().toLowerCase().replace(/\s+/g, ' ')
      const namesake = full.includes(' ') ? byName.get(full) : undefined
      const person = namesake ?? {
        id: all.length,
        name: showText(name.trim() || address.split('@')[0] || 'unknown').slice(0, 60),
        bot: bots.test(name) || bots.test(email),
      }
      if (namesake === undefined) all.push(person)
      if (full.includes(' ')) byName.set(full, person)
      byEmail.set(address, person)
      return person
    },
  }
}
