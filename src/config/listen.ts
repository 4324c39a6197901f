import { dataWorkdir, type Listen } from './specification.ts'

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

/** Whether arguments name the folder kept over releases. */
export function namesData(args: readonly string[]): boolean {
  return args.some((word) => word.includes(dataWorkdir))
}

/** A program's own arguments, with the folder of `data: true` in them. @param dataFolder absolute; null: none is kept */
export function fillArguments(args: readonly string[], dataFolder: string | null): string[] {
  if (dataFolder === null && namesData(args)) throw new TypeError('arguments that name data that is not kept')
  return args.map((word) => word.replaceAll(dataWorkdir, dataFolder ?? ''))
}

function fillIn(template: string, { host, port }: ListenPlace): string {
  return template.replaceAll('{{port}}', String(port)).replaceAll('{{host}}', host)
}
