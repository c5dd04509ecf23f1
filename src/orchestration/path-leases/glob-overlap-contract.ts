/**
 * Whether two globs may name the same file. Never says no where some path matches both; where both hold wildcards inside
 * one name it may say yes too often. `**` stands for any number of folders; a pattern that ends in `/`, or
 * in a name without wildcards and without a dot, means everything below it, too.
 */
export function globsOverlap(one: string, other: string): boolean {
  return overlap(segmentsOf(one), segmentsOf(other))
}

function segmentsOf(glob: string): readonly string[] {
  const segments = glob.split('/').filter((segment) => segment !== '' && segment !== '.')
  const last = segments.at(-1) ?? '**'
  if (last === '**') return segments
  return glob.endsWith('/') || (!special.test(last) && !last.includes('.')) ? [...segments, '**'] : segments
}

function overlap(one: readonly string[], other: readonly string[]): boolean {
  const [a, ...restOfOne] = one
  const [b, ...restOfOther] = other
  if (a === undefined) return other.every((segment) => segment === '**')
  if (b === undefined) return one.every((segment) => segment === '**')
  if (a === '**')
    return overlap(restOfOne, other) || (b === '**' ? overlap(one, restOfOther) : overlap(one, restOfOther))
  if (b === '**') return overlap(one, restOfOther) || overlap(restOfOne, other)
  return namesOverlap(a, b) && overlap(restOfOne, restOfOther)
}

const special = /[*?[\]{}!]/

function namesOverlap(a: string, b: string): boolean {
  const [wildA, wildB] = [special.test(a), special.test(b)]
  if (!wildA && !wildB) return a === b
  const [headA, headB] = [a.split(special)[0]!, b.split(special)[0]!]
  const [tailA, tailB] = [a.split(special).at(-1)!, b.split(special).at(-1)!]
  const heads =
    wildA && wildB
      ? headA.startsWith(headB) || headB.startsWith(headA)
      : wildA
        ? b.startsWith(headA)
        : a.startsWith(headB)
  const tails =
    wildA && wildB ? tailA.endsWith(tailB) || tailB.endsWith(tailA) : wildA ? b.endsWith(tailA) : a.endsWith(tailB)
  // Without the parts in braces and brackets, whose ends are not the end of the name.
  return heads && (/[\]}]$/.test(a) || /[\]}]$/.test(b) || tails)
}
