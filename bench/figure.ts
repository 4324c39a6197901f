/** One line of the table: what was measured against what, the bar, and whether it holds. */
export interface Figure {
  readonly figure: string
  /** The measured value with its unit: a difference to, or a ratio against, the bare thing of the same run. */
  readonly measured: string
  readonly bar: string
  readonly holds: boolean
  /** What the value is made of. */
  readonly detail: string
}

export interface Part {
  readonly name: string
  readonly what: string
  /** @param say progress, on stderr */
  measure(say: (text: string) => void): Promise<Figure[]>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ figure, measured, bar, holds, detail }) =>
    [figure, measured, bar, holds ? 'pass' : '**miss**', detail].join(' | '),
  )
  const head = ['| figure | measured | bar | | made of |', '| --- | --- | --- | --- | --- |']
  return [...head, ...rows.map((row) => `| ${row} |`)].join('\n')
}
