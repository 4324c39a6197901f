import type { MachinePort } from '../runtime/index.ts'

/** Of URLs that leave it out. */
const defaultPorts: Readonly<Record<string, number>> = {
  amqp: 5672,
  http: 80,
  https: 443,
  mongodb: 27_017,
  mysql: 3306,
  nats: 4222,
  postgres: 5432,
  postgresql: 5432,
  redis: 6379,
}

/** A list of all ports would be too long for the command that leads them. */
const mostPorts = 1000

const here = '(?:localhost|127(?:\\.\\d{1,3}){3})'
const url = new RegExp(
  `(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30})://(?:[^\\s/?#]{0,1000}@)?${here}(?::(\\d{1,5}))?(?![\\w.:-])`,
  'gi',
)
/** go-sql-driver: `user:secret@tcp(127.0.0.1:3306)/shop` */
const dialled = new RegExp(`\\b(?:tcp|udp)\\(${here}:(\\d{1,5})\\)`, 'gi')
/** libpq: `host=localhost port=5433` */
const libpq = new RegExp(`\\bhost=['"]?${here}\\b`, 'i')
const bare = new RegExp(`(?<![\\w.-])${here}:(\\d{1,5})(?!\\d)`, 'gi')

/**
 * What values, arguments and files of an instance name on 127.0.0.1. A URL means somebody else; a bare `127.0.0.1:9090` may
 * be where the program itself is to listen.
 */
export function findMachinePorts(texts: Iterable<string>): MachinePort[] {
  const found = new Map<number, boolean>()
  const add = (text: string | number | undefined, certain: boolean) => {
    const port = Number(text)
    if (port >= 1 && port <= 65_535) found.set(port, certain || found.get(port) === true)
  }
  for (const text of texts) {
    for (const [, scheme = '', port] of text.matchAll(url)) add(port ?? defaultPorts[scheme.toLowerCase()], true)
    for (const [, port] of text.matchAll(dialled)) add(port, true)
    if (libpq.test(text)) add(/\bport=['"]?(\d{1,5})\b/i.exec(text)?.[1] ?? 5432, true)
    for (const [, port] of text.matchAll(bare)) add(port, false)
  }
  return [...found].slice(0, mostPorts).map(([port, certain]) => ({ port, certain }))
}
