/** The types a declared key may have, as the program's own parser in Go would take them. */
export const valueTypes = ['string', 'int', 'number', 'port', 'bool', 'duration', 'url', 'enum'] as const
type ValueType = (typeof valueTypes)[number]

export const keyPattern = /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]{0,127}$/
export const keyRule = 'a key of letters, digits and underscores that does not begin with a digit'

/** What a declaration in fairway.yaml comes to. */
export interface Declaration {
  readonly type: ValueType
  /** What an enum allows. */
  readonly values?: readonly string[]
  readonly default?: string
  readonly required: boolean
  readonly secret: boolean
  readonly asFile: boolean
  readonly describe?: string
}

/** @returns what was expected, when the value is not of the type: 'a port from 1 to 65535' */
export function checkValue(
  value: string,
  { type, values = [] }: Pick<Declaration, 'type' | 'values'>,
): string | undefined {
  switch (type) {
    case 'string':
      return undefined
    case 'int':
      return isInt64(value) ? undefined : 'a whole number'
    case 'number':
      return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(value) && Number.isFinite(Number(value))
        ? undefined
        : 'a number'
    case 'port':
      return /^[0-9]{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535
        ? undefined
        : 'a port from 1 to 65535'
    case 'bool': // as Go's strconv.ParseBool
      return /^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/.test(value) ? undefined : 'true or false'
    case 'duration': // as Go's time.ParseDuration
      return /^[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(value)
        ? undefined
        : 'a duration like 500ms, 10s or 1h30m'
    case 'url':
      return /^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(value) && URL.canParse(value)
        ? undefined
        : 'a URL like https://example.com'
    case 'enum':
      return values.includes(value) ? undefined : `one of ${values.join(', ')}`
  }
}

function isInt64(value: string): boolean {
  if (!/^[+-]?[0-9]{1,19}$/.test(value)) return false
  const number = BigInt(value.replace(/^\+/, ''))
  return number >= -(2n ** 63n) && number < 2n ** 63n
}
