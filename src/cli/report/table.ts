import { visibleLine } from './visible.ts'

interface TableOptions {
  readonly isTerminal: boolean
  /** Of the terminal, in columns; undefined cuts nothing. */
  readonly width?: number | undefined
  /** Columns whose cells stand right. */
  readonly numbers: readonly number[]
  /** Columns that go, the first one first, when the terminal is narrower than the table. */
  readonly dispensable?: readonly number[]
  readonly paintHead: (text: string) => string
}

const gap = '  '

/** Name first, numbers right, no borders; in a pipe: tabs, uncut. */
export function table(cells: readonly (readonly string[])[], options: TableOptions): string {
  const rows = cells.map((row) => row.map((cell) => visibleLine(cell)))
  if (!options.isTerminal) return `${rows.map((row) => row.join('\t')).join('\n')}\n`
  const columns = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const shown = shownColumns(widths, options)
  const lines = rows.map((row, index) => {
    const cells = shown.map((column) => {
      const [cell, width] = [row[column] ?? '', widths[column] ?? 0]
      return options.numbers.includes(column) ? cell.padStart(width) : cell.padEnd(width)
    })
    const line = cells.join(gap).trimEnd()
    return index === 0 ? options.paintHead(line) : line
  })
  return `${lines.join('\n')}\n`
}

function shownColumns(widths: readonly number[], { width, dispensable = [] }: TableOptions): readonly number[] {
  const all = widths.map((_, column) => column)
  const total = (columns: readonly number[]) =>
    columns.reduce((sum, column) => sum + (widths[column] ?? 0) + gap.length, -gap.length)
  const fits = (columns: readonly number[]) => width === undefined || total(columns) <= width
  let gone: readonly number[] = []
  const without = (columns: readonly number[]) => all.filter((column) => !columns.includes(column))
  for (const column of dispensable) if (!fits(without(gone))) gone = [...gone, column]
  // Once a wide one has gone, a narrow one that went before it may have room again.
  for (const column of gone.toReversed()) {
    const fewer = gone.filter((one) => one !== column)
    if (fits(without(fewer))) gone = fewer
  }
  return without(gone)
}
