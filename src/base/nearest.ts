/**
 * The known word a typo was most likely meant to be: at most a third of its letters wrong, or the only one it is the start
 * of; undefined when none is near. Of paths (`./cmd/web`, 'linux/x64') the folders that both begin with are not counted
 * among the letters: else any short name beside another would be near.
 */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  if (word.length > 100) return undefined
  let best: string | undefined
  let bestDistance = Infinity
  for (const candidate of known) {
    const [own, other] = withoutCommonFolders(word.toLowerCase(), candidate.toLowerCase())
    const distance = editDistance(own, other)
    if (distance < bestDistance && distance <= Math.floor(Math.max(own.length, 3) / 3))
      [best, bestDistance] = [candidate, distance]
  }
  if (best !== undefined || word.length < 3) return best
  const [only, ...more] = known.filter((candidate) => candidate.toLowerCase().startsWith(word.toLowerCase()))
  return more.length === 0 ? only : undefined
}

function withoutCommonFolders(a: string, b: string): [string, string] {
  let common = 0
  for (let index = 0; index < a.length && a[index] === b[index]; index += 1) if (a[index] === '/') common = index + 1
  return [a.slice(common), b.slice(common)]
}

/** Insertions, deletions, replacements and swaps of neighbours, each 1. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replace)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    ;[beforeLast, last] = [last, row]
  }
  return last[b.length] ?? 0
}

/** '; did you mean `instances`?', or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known)
  return nearest === undefined ? '' : `; did you mean \`${nearest}\`?`
}
