import type { AgentCard } from '@a2a-js/sdk'

const most = 50

/**
 * What a card offers, in the vocabulary of pools and steps: the ids of its skills and their tags, in lower case, with `-`
 * for what our names do not take. The order is that of the card; each is named once.
 */
export function capabilitiesOfCard({ skills }: Pick<AgentCard, 'skills'>): readonly string[] {
  const words = skills.flatMap(({ id, tags }) => [id, ...tags])
  return [...new Set(words.map(toCapability).filter((word) => word !== ''))].slice(0, most)
}

/** The empty text where nothing of the word can be a name. */
export function toCapability(word: string): string {
  return word
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_./-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 100)
}
