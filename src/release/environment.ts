import type { Secret } from '../base/secret.ts'
import { fillArguments, listenArguments, listenVariables, type RunSpecification } from '../config/index.ts'
import type { Address } from '../host/index.ts'

interface InstanceEnvironmentInput {
  readonly run: RunSpecification
  readonly goVersion: string
  /** Resolved values that go into the environment. */
  readonly values: Readonly<Record<string, string | Secret>>
  readonly address: Address | null
  readonly homeFolder: string
  readonly temporaryFolder: string
  readonly dataFolder: string | null
  /** SERVICE_URL_<NAME> of the services without a route. */
  readonly serviceUrls: Readonly<Record<string, string>>
  /** TZ of the machine where it is set; UTC otherwise. */
  readonly timeZone: string
}

/**
 * The whole environment of an instance; nothing is inherited. A value of the release with the same name wins over a rule,
 * but not over the variable that says where to listen.
 */
export function instanceEnvironment(input: InstanceEnvironmentInput): Record<string, string | Secret> {
  const { run, address } = input
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: input.homeFolder,
    TMPDIR: input.temporaryFolder,
    LANG: 'C.UTF-8',
    TZ: input.timeZone,
    ...goKnobs(run, input.goVersion),
    ...(input.dataFolder === null ? {} : { STATE_DIRECTORY: input.dataFolder }),
    ...input.serviceUrls,
    ...input.values,
    ...(address === null ? {} : listenVariables(run.listen, address)),
  }
}

/** GOMEMLIMIT leaves a tenth for what the Go heap is not; Go 1.25 and later read the CPU limit themselves. */
function goKnobs({ limits }: RunSpecification, goVersion: string): Record<string, string> {
  return {
    ...(limits.memoryBytes === undefined ? {} : { GOMEMLIMIT: String(Math.floor(limits.memoryBytes * 0.9)) }),
    ...(limits.cpu === undefined || followsCpuLimit(goVersion) ? {} : { GOMAXPROCS: String(Math.ceil(limits.cpu)) }),
  }
}

/** @param goVersion as in the build info: 'go1.26.8' */
function followsCpuLimit(goVersion: string): boolean {
  const [, major = '0', minor = '0'] = /^go(\d+)\.(\d+)/.exec(goVersion) ?? []
  return Number(major) > 1 || Number(minor) >= 25
}

/** The words after the program: the arguments as written, with the folder they name, then the one that says where to listen. */
export function instanceArguments(
  run: RunSpecification,
  { address, dataFolder }: Pick<InstanceEnvironmentInput, 'address' | 'dataFolder'>,
): string[] {
  return [...fillArguments(run.args, dataFolder), ...(address === null ? [] : listenArguments(run.listen, address))]
}

/** 'SERVICE_URL_ORDER_API' */
export function serviceUrlName(service: string): string {
  return `SERVICE_URL_${service.toUpperCase().replaceAll('-', '_')}`
}
