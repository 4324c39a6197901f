/** go prints objects one after the other, without commas. */
export function parseJsonStream(text: string): Record<string, unknown>[] {
  const objects: Record<string, unknown>[] = []
  let begin = 0
  // An object of `go list -json` begins and ends at the start of a line.
  for (let end = text.indexOf('\n}', begin); end >= 0; end = text.indexOf('\n}', begin)) {
    const parsed: unknown = JSON.parse(text.slice(begin, end + 2))
    if (typeof parsed === 'object' && parsed !== null) objects.push({ ...parsed })
    begin = end + 2
  }
  return objects
}

export function textOf(object: Readonly<Record<string, unknown>>, key: string): string {
  const value = object[key]
  return typeof value === 'string' ? value : ''
}

export function listOf(object: Readonly<Record<string, unknown>>, key: string): string[] {
  const value = object[key]
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
