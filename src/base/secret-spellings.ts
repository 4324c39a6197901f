/** Shorter ones are left alone: masking `1` would make every line unreadable and hides nothing. */
export const leastMasked = 4

/** A value as Go's packages print it, besides as it is. */
export function spellingsOf(value: string): string[] {
  if (value.length < leastMasked) return []
  const bytes = Buffer.from(value)
  const json = JSON.stringify(value).slice(1, -1)
  const jsonLines = escapeAsJson(json, /[\u2028\u2029]/g)
  const percent = [
    encodeURIComponent(value.toWellFormed()),
    escapeBytes(bytes, pathLeaves),
    escapeBytes(bytes, userLeaves),
    escapeBytes(bytes, queryLeaves).replaceAll('%20', '+'),
  ]
  const base64 = [bytes.toString('base64'), bytes.toString('base64url')]
  return [
    value,
    json,
    jsonLines.replaceAll(/\\./g, (escape) => slogEscapes[escape] ?? escape),
    escapeAsJson(jsonLines, /[<>&]/g), // json.Marshal
    ...percent,
    ...percent.map((text) => text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())),
    ...base64.flatMap((text) => [text, text.replace(/=+$/, ''), text.padEnd(Math.ceil(text.length / 4) * 4, '=')]),
    // A multi-line value (a key) may come out one line at a time.
    ...value.split('\n').flatMap((line) => (line.trim().length >= 8 ? [line.trim()] : [])),
  ]
}

function escapeAsJson(json: string, characters: RegExp): string {
  return json.replaceAll(characters, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Where log/slog differs from json.Marshal, besides that it leaves `<>&`. */
const slogEscapes: Readonly<Record<string, string>> = { '\\b': '\\u0008', '\\f': '\\u000c' }

/** What `url.PathEscape`, `url.UserPassword` and `url.QueryEscape` leave as it is. */
const pathLeaves = /[\w.~$&+:=@-]/
const userLeaves = /[\w.~$&+,;=-]/
const queryLeaves = /[\w.~-]/

function escapeBytes(bytes: Buffer, left: RegExp): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[^]/g, (one) =>
      left.test(one) ? one : `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
}
