import { inspect } from 'node:util'

const shown = '[secret]'

/** A value that prints as `[secret]` wherever it is printed; only `reveal` gives it away, so uses can be found by name. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [inspect.custom](): string {
    return shown
  }
}

/**
 * Replaces every occurrence of the secrets' values, and of their JSON, URL and base64 spellings, by `[secret]`: for text
 * that comes from outside (a program's last lines, a probe's answer) before it is stored or shown. Values shorter than
 * four characters are left alone: masking `1` would make every line unreadable and hides nothing.
 */
export function maskSecrets(text: string, secrets: Iterable<Secret>): string {
  const spellings = new Set<string>()
  for (const secret of secrets) {
    const value = secret.reveal()
    if (value.length < 4) continue
    for (const spelling of [
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value),
      Buffer.from(value).toString('base64'),
    ]) {
      spellings.add(spelling)
    }
    // A multi-line value (a key) may come out one line at a time.
    for (const line of value.split('\n')) if (line.trim().length >= 8) spellings.add(line.trim())
  }
  let masked = text
  for (const spelling of [...spellings].sort((a, b) => b.length - a.length)) masked = masked.replaceAll(spelling, shown)
  return masked
}
