/** Name first, numbers right, no borders; in a pipe: tabs, uncut. */
export function table(
  rows: readonly (readonly string[])[],
  options: { isTerminal: boolean; numbers: readonly number[]; paintHead: (text: string) => string },
): string {
  if (!options.isTerminal) return `${rows.map((row) => row.join('\t')).join('\n')}\n`
  const columns = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const lines = rows.map((row, index) => {
    const cells = row.map((cell, column) =>
      options.numbers.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    )
    const line = cells.join('  ').trimEnd()
    return index === 0 ? options.paintHead(line) : line
  })
  return `${lines.join('\n')}\n`
}
