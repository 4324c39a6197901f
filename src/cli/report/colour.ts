/** Basic ANSI colours only: the user's theme decides how they look. Red means failure, nothing else. */
export interface Palette {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
  readonly dim: (text: string) => string
  readonly strong: (text: string) => string
}

export function palette(colours: boolean): Palette {
  const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { good: paint(32), bad: paint(31), warn: paint(33), dim: paint(2), strong: paint(1) }
}
