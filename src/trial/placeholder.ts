/** 32 bytes, and hexadecimal: many a key wants just that. */
const plain = '0123456789abcdef0123456789abcdef'

const byName: readonly [RegExp, string][] = [
  [/MONGO/i, 'mongodb://127.0.0.1:27017/trial'],
  [/REDIS.*(?:URL|URI|DSN)/i, 'redis://127.0.0.1:6379/0'],
  [/AMQP|RABBIT/i, 'amqp://trial:trial@127.0.0.1:5672/'],
  [
    /DATABASE_URL|POSTGRES.*(?:URL|URI|DSN)|PG.*(?:URL|DSN)|DB_(?:URL|DSN|URI)|DSN/i,
    'postgres://trial:trial@127.0.0.1:5432/trial?sslmode=disable',
  ],
  [/URL|URI|ENDPOINT|ISSUER|ORIGIN/i, 'http://127.0.0.1:9/'],
  [/PORT$/i, '9'],
  [/ADDR(?:ESS)?$|HOST(?:PORT)?$/i, '127.0.0.1:9'],
  [/EMAIL|MAIL_FROM|FROM$/i, 'trial@example.com'],
  [/(?:^|_)IP(?:_?ADDR(?:ESS)?)?$/i, '127.0.0.1'],
  [/TIMEOUT|INTERVAL|DURATION|TTL|EXPIR/i, '10s'],
  [/COUNT|SIZE|LIMIT|MAX|MIN|NUM/i, '1'],
  [/ENABLE|DEBUG|VERBOSE/i, 'true'],
  [/DIR|PATH|FOLDER/i, '.'],
]
/** A value for a key that has none, so that a program shows what it lacks besides. Never used but in a sandbox. */
export function placeholderFor(name: string, attempt: number): string | undefined {
  const fitting = byName.find(([pattern]) => pattern.test(name))?.[1]
  return [...(fitting === undefined ? [] : [fitting]), plain, '1'][attempt]
}

/** A flag's value is shown to be changed: something one can read, an example of its help first of all. */
export function flagPlaceholder(flag: string, about: string | undefined, service: string): string {
  const example = /\b(?:e\.g\.|eg|for example|example|such as)[:,]? *["'`]?([^\s"'`()]{1,80})/i.exec(about ?? '')?.[1]
  if (example !== undefined) return example
  const name = flag.replaceAll(/[-.]/g, '_').toUpperCase()
  if (isSecretName(name)) return plain
  return byName.find(([pattern]) => pattern.test(name))?.[1] ?? service
}

/** What its help says that a flag may be: '(memory, bolt or fs)', '[json|text]', 'one of: a, b'. */
export function flagChoices(about: string): string[] {
  const word = '[\'"`]?[\\w.-]+[\'"`]?'
  const lists = [
    `[[({<](${word}(?:\\|${word})+)[\\])}>]`,
    `[[({](${word}(?:(?:, *| or |, or )${word})+)[\\])}]`,
    `(?:one of|either|valid values(?: are)?|possible values(?: are)?|options(?: are)?):? *[[({]?(${word}(?:(?:, *| or |, or |\\|)${word})+)`,
  ]
  const found = lists.flatMap((list) => new RegExp(list, 'i').exec(about.slice(0, 1_000))?.[1] ?? [])[0]
  const words = (found ?? '').split(/\||, or |, *| or /).map((each) => each.replaceAll(/['"`]/g, ''))
  return words.filter((each) => each !== '' && !/^default/i.test(each)).slice(0, 8)
}

export function isSecretName(name: string): boolean {
  return /SECRET|TOKEN|PASS(?:WORD|WD|PHRASE)?(?:_|$)|API_?KEY|PRIVATE|CREDENTIAL|(?:^|_)KEY$|DSN|DATABASE_URL|DB_UR[LI]|MONGO.*UR[LI]|REDIS_UR[LI]|SALT/i.test(
    name,
  )
}
