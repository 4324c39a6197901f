import type { PlanView } from '../../server/api.ts'
import { visibleLine } from './visible.ts'

/** One line for each service: what would become of it, and why; or that it stays as it is. */
export function planText(data: unknown): string {
  const plan = Array.isArray(data) ? (data as PlanView[]) : []
  return plan
    .map((one) => {
      const { project, environment, service } = one.scope
      return `${visibleLine(`${project}/${environment}/${service}: ${change(one)}`)}\n`
    })
    .join('')
}

function change({ verb, from, release, instances, changes }: PlanView): string {
  const number =
    instances.from === instances.to || from === null ? `${instances.to}` : `${instances.from} → ${instances.to}`
  const count = `${number} ${instances.to === 1 ? 'instance' : 'instances'}`
  if (release === null) return from === null ? 'stays down' : `${verb}: release ${from} is taken down`
  if (from === release && changes.length === 0) return `stays at release ${release}, ${count}`
  const which =
    from === null
      ? `release ${release}`
      : from === release
        ? `release ${release} again`
        : `release ${from} → ${release}`
  return `${verb}: ${which}, ${count}${changes.length === 0 ? '' : ` (${changes.join('; ')})`}`
}
