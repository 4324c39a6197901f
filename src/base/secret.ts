import { inspect } from 'node:util'

/** What is seen in a secret's place. */
export const shownSecret = '[secret]'

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
    return shownSecret
  }

  toJSON(): string {
    return shownSecret
  }

  [inspect.custom](): string {
    return shownSecret
  }
}
