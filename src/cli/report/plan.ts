import { visibleLine } from './visible.ts'

interface PlanLine {
  readonly scope: { readonly project: string; readonly environment: string; readonly service: string }
  readonly verb: string
  readonly release: number | null
  readonly desired: { readonly instances: number }
}

/** One line for each service that would change. */
export function planText(data: unknown): string {
  const changes = Array.isArray(data) ? (data as PlanLine[]) : []
  return changes
    .map(({ scope, verb, release, desired }) => {
      const to = release === null ? 'nothing' : `release ${release} × ${desired.instances}`
      return `${visibleLine(`${scope.project}/${scope.environment}/${scope.service}: ${verb} to ${to}`)}\n`
    })
    .join('')
}
