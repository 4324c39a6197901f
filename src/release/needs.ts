/** Those that are needed come first; the rest in the order they were given. A circle, which the schema refuses, ends nothing. */
export function inOrderOfNeeds<Item>(
  items: readonly Item[],
  describe: (item: Item) => { readonly name: string; readonly needs: readonly string[] },
): Item[] {
  const ordered: Item[] = []
  const visit = (item: Item, path: readonly string[]) => {
    const { name, needs } = describe(item)
    if (ordered.includes(item) || path.includes(name)) return
    for (const need of needs) {
      const needed = items.find((other) => describe(other).name === need)
      if (needed !== undefined) visit(needed, [...path, name])
    }
    ordered.push(item)
  }
  for (const item of items) visit(item, [])
  return ordered
}
