import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ArtifactStore, parseDigest } from '../../artifact/index.ts'
import { FairwayError } from '../../base/error.ts'
import type { ResultEvent } from '../../base/event.ts'
import {
  buildServices,
  type BuiltService,
  describeVerification,
  type LocatedService,
  locateServices,
  openSource,
  type Verifiable,
  verifyService,
} from '../../pipeline/index.ts'
import type { ReleaseSummary } from '../../server/api.ts'
import type { CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import { type CommandContext, serverAddress } from '../context.ts'
import { Interrupt } from '../interrupt.ts'
import { formatMs } from '../report/describe.ts'
import { openReporter } from '../report/open-reporter.ts'
import { visibleText } from '../report/visible.ts'
import { checkServiceName } from '../service-name.ts'
import { sourceOptions } from '../source-options.ts'

/** Names of services and numbers of releases, in any order: builds again, elsewhere, and compares. */
export const run: CommandModule['run'] = async ({ positionals }, context) => {
  const numbers = positionals.filter((word) => /^[0-9]+$/.test(word)).map(Number)
  const names = positionals.filter((word) => !/^[0-9]+$/.test(word))
  for (const name of names) checkServiceName(name)
  const reporter = await openReporter(context)
  using interrupt = new Interrupt('aborted; nothing was changed')
  const held: BuiltService[] = []
  try {
    const common = {
      processEnvironment: context.environment,
      signal: interrupt.signal,
      report: reporter.event,
      now: Date.now,
    }
    const opened = await openSource({
      ...sourceOptions(undefined, context, reporter.event),
      signal: interrupt.signal,
    })
    const all = await locateServices(opened, undefined)
    const services =
      names.length === 0 ? all : (await Promise.all(names.map((name) => locateServices(opened, name)))).flat()
    let wanted: Verifiable[]
    if (numbers.length > 0) wanted = await findReleases(opened.project.name, services, numbers, context)
    else {
      const options = { ...common, cacheFolder: `${context.home}/cache`, processors: availableParallelism() }
      held.push(...(await buildServices(opened, services, options)))
      wanted = held.flatMap(({ service: name, artifact, recipe, sources }) => {
        const service = services.find(({ specification }) => specification.service === name)
        const binary = sources.get(artifact.binary)
        return service === undefined || binary === undefined ? [] : [{ service, artifact, recipe, binary }]
      })
    }
    const data = []
    for (const one of wanted) {
      const verification = await verifyService(opened, one, {
        ...common,
        home: context.home,
        temporaryFolder: tmpdir(),
      })
      data.push(verification)
      if (context.options.json === true) continue
      const { service, isSame, notes, tookMs, actual } = verification
      const lines = [
        `${service}  ${isSame ? 'same' : 'different'}  binary ${actual}  ${formatMs(tookMs)}`,
        ...notes.map((note) => `  ${note}`),
      ]
      context.stdout.write(`${visibleText(lines.join('\n'))}\n`)
    }
    const different = data.filter(({ isSame }) => !isSame)
    const [first] = different
    if (first === undefined) {
      if (context.options.json === true) reporter.result({ kind: 'result', outcome: 'done', data })
      return 0
    }
    const error = new FairwayError(
      'NOT_REPRODUCIBLE',
      `A rebuild of ${different.map(({ service }) => service).join(', ')} gives another binary`,
      {
        hint: first.notes.some((note) => note.startsWith('it was built with'))
          ? 'Verify with the Go it was built with.'
          : 'What differs comes from something that is no input: a time, a random number, a path. Take it out of the sources.',
        details: different.flatMap((one) => [
          ...describeVerification(one),
          ...one.notes.map((note) => `${one.service}: ${note}`),
        ]),
      },
    )
    if (context.options.json !== true) throw error
    const { code, message, hint, details } = error
    const report = { code, message, details, ...(hint === undefined ? {} : { hint }) }
    reporter.result({ kind: 'result', outcome: 'refused', data, error: report })
    return error.exit
  } finally {
    for (const one of held) await one[Symbol.asyncDispose]()
    reporter.close()
  }
}

/** @throws FairwayError RELEASE_UNKNOWN, ARTIFACT_CORRUPT when its files here are not what they were */
async function findReleases(
  project: string,
  services: readonly LocatedService[],
  numbers: readonly number[],
  context: CommandContext,
): Promise<Verifiable[]> {
  if ((await serverAddress(context)).kind !== 'socket') {
    throw new FairwayError(
      'USAGE',
      'Releases are verified on the machine of their control plane, where their files lie',
      {
        hint: 'Without a number the build of this machine is verified: fairway verify',
      },
    )
  }
  const client = await connect(context, 'if-used')
  const names = services.map(({ specification }) => specification.service)
  const body = { project, environment: context.options.env, services: names }
  const answer = await client.json<ResultEvent>('POST', '/v1/operations/releases', { body })
  const known = (answer.data as { services: { service: string; releases: ReleaseSummary[] }[] }).services
  const store = await ArtifactStore.open(join(context.home, 'artifacts'), { now: Date.now() })
  const found: Verifiable[] = []
  for (const number of numbers) {
    const before = found.length
    for (const service of services) {
      const { releases = [] } = known.find((one) => one.service === service.specification.service) ?? {}
      const release = releases.find((one) => one.number === number)
      if (release === undefined) continue
      const digest = parseDigest(release.artifact)
      const { artifact, recipe } = await store.verify(digest)
      found.push({ service, artifact, recipe, binary: join(store.folder(digest), artifact.binary) })
    }
    if (found.length > before) continue
    throw new FairwayError(
      'RELEASE_UNKNOWN',
      `${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} no release ${number}`,
      {
        hint: `fairway releases lists those there are.`,
      },
    )
  }
  return found
}
