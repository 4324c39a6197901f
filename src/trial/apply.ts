import { dataWorkdir, namesData, type ProjectService } from '../config/index.ts'
import type { Findings } from './findings.ts'

/** The service with what was found; what fairway.yaml says stays as it says it. Pure: equal findings, equal release. */
export function applyFindings<Service extends ProjectService>(service: Service, findings: Findings): Service {
  const { said, specification } = service
  const { run, desired } = specification
  const data = said.has('data') ? run.data : findings.data
  const found = findings.workdir === dataWorkdir && !data ? undefined : findings.workdir
  const placed = said.has('workdir') ? run.workdir : found
  const protocol = said.has('protocol') ? (run.protocol ?? 'http') : findings.protocol
  const { route, routeFallback, ...rest } = desired
  const isRouted = protocol !== 'tcp'
  const mayProbe = !said.has('probe') && (said.has('protocol') ? protocol === findings.protocol : true)
  const args = said.has('args') || (namesData(findings.args) && !data) ? run.args : findings.args
  const given = Object.entries(placed === dataWorkdir ? findings.values : {}).map(
    ([name, value]) => [name, { value, secret: false, asFile: false }] as const,
  )
  const ports = run.ports ?? (findings.ports.length > 0 ? findings.ports : undefined)
  const { workdir: _workdir, protocol: _protocol, ports: _ports, ...others } = run
  return {
    ...service,
    files: said.has('files') ? service.files : findings.files,
    specification: {
      ...specification,
      values: { ...Object.fromEntries(given), ...specification.values },
      run: {
        ...others,
        args,
        data,
        listen: said.has('listen') || findings.listen === undefined ? run.listen : findings.listen,
        ...(ports === undefined ? {} : { ports }),
        ...(placed === undefined ? {} : { workdir: placed }),
        ...(protocol === 'http' ? {} : { protocol }),
        probe: mayProbe ? { ...run.probe, target: findings.probe } : run.probe,
      },
      desired: {
        ...rest,
        ...(isRouted && route !== undefined ? { route } : {}),
        ...(isRouted && routeFallback !== undefined ? { routeFallback } : {}),
        // Two of them would write to one folder at once.
        ...(data && !said.has('data') && !said.has('strategy') ? { strategy: { kind: 'recreate' } as const } : {}),
      },
    },
  }
}
