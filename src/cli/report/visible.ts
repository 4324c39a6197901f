/**
 * What must not reach a terminal as it is: control characters (they move the cursor, clear the screen, write the clipboard),
 * and those that turn the direction of text or end a line, so that it reads as another.
 * @see Unicode Standard Annex 9, "Directional Formatting Characters"
 */
const unseen = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/** Select Graphic Rendition, the one sequence that only colours. @see ECMA-48, section 8.3.117 */
// oxlint-disable-next-line no-control-regex -- it begins with one
const colour = /(\u001b\[[\d;:]{0,64}m)/

interface VisibleOptions {
  /** Colours pass, and end with the line; otherwise they are left out. */
  readonly colours?: boolean
}

/** One line of a program's as it may be printed: controls are shown as symbols, all else is as it was. */
export function visibleLine(line: string, { colours = false }: VisibleOptions = {}): string {
  if (line.search(unseen) < 0) return line
  const parts = line.replace(/\r$/, '').split(colour) // every second one is a colour
  const shown = parts.map((part, index) => (index % 2 === 0 ? part.replaceAll(unseen, symbolOf) : colours ? part : ''))
  return `${shown.join('')}${colours && parts.length > 1 ? '\u001b[0m' : ''}`
}

/** Of several lines. */
export function visibleText(text: string): string {
  return text
    .split('\n')
    .map((line) => visibleLine(line))
    .join('\n')
}

/** ESC → '␛', U+009B → '\x9b', U+202E → '\u202e' */
function symbolOf(character: string): string {
  const code = character.charCodeAt(0)
  if (character === '\t') return character
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x7f) return '␡'
  return code < 0x100 ? `\\x${code.toString(16)}` : `\\u${code.toString(16).padStart(4, '0')}`
}
