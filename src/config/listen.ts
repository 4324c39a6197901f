import type { Listen } from './specification.ts'

/** Where a program is to listen. */
interface ListenPlace {
  readonly host: string
  readonly port: number
}

/** What the variable holds unless it is said: one called …ADDR or …ADDRESS wants host and port, the others a port alone. */
export function defaultListenTemplate(name: string): string {
  return /ADDR(ESS)?$/.test(name) ? '{{host}}:{{port}}' : '{{port}}'
}

/** The variable that tells a program where to listen; nothing where it is told otherwise. */
export function listenVariables(listen: Listen, place: ListenPlace): Readonly<Record<string, string>> {
  if (listen.kind !== 'env') return {}
  return { [listen.name]: fillIn(listen.template ?? defaultListenTemplate(listen.name), place) }
}

/** The arguments that tell it, behind its own. */
export function listenArguments(listen: Listen, place: ListenPlace): string[] {
  if (listen.kind !== 'arg') return []
  return listen.template
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => fillIn(word, place))
}

function fillIn(template: string, { host, port }: ListenPlace): string {
  return template.replaceAll('{{port}}', String(port)).replaceAll('{{host}}', host)
}
