import { resolve } from 'node:path'
import type { Target } from '../../artifact/index.ts'
import { FairwayError } from '../../base/error.ts'
import { type ImageReference, parseReference } from '../../image/index.ts'
import type { CommandContext } from '../context.ts'
import { parseTargets } from '../commands/build.ts'

type Options = Readonly<Record<string, string | boolean | undefined>>

/** What was asked for, checked before anything is built. */
export interface ImageWish {
  readonly services: readonly string[]
  readonly targets: readonly Target[] | undefined
  readonly binary: string | undefined
  readonly tags: readonly string[]
  readonly output: string | undefined
  readonly push: boolean
  readonly plan: boolean
  readonly port: number
  readonly isInsecure: boolean
  readonly withSbom: boolean
}

/** @throws FairwayError USAGE, IMAGE_IMPOSSIBLE */
export function readWish(services: readonly string[], options: Options): ImageWish {
  const text = (name: string) => (typeof options[name] === 'string' ? options[name] : undefined)
  const list = (name: string) =>
    text(name)
      ?.split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
  const [output, tags, push] = [text('output'), [...new Set(list('tag'))], options['push'] === true]
  if (push && tags.length === 0) {
    throw new FairwayError('USAGE', '--push: it was not said to where', {
      hint: 'fairway image --push --tag registry.example.com/shop/web:v1   (of several services: …/shop/{{service}}:v1)',
    })
  }
  if (options['plan'] === true && !push)
    throw new FairwayError('USAGE', '--plan: only --push changes anything', {
      hint: 'fairway image --push --plan --tag …',
    })
  const binary = text('binary')
  if (binary !== undefined && (services.length > 1 || text('target') !== undefined)) {
    throw new FairwayError('USAGE', '--binary: one executable is one service’s, for the target it was built for')
  }
  const port = Number(text('port') ?? 8080)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new FairwayError(
      'USAGE',
      `--port: expected a number from 1 to 65535, found ${JSON.stringify(text('port'))}`,
      {
        hint: '--port 8080, which is the default: what the service listens on in its container.',
      },
    )
  const targets = parseTargets(options['target'])
  const other = targets?.find(({ os }) => os !== 'linux')
  if (other !== undefined) {
    throw new FairwayError('IMAGE_IMPOSSIBLE', `--target: there are no images of ${other.os}: their base is Linux’s`, {
      hint: 'For example --target linux/amd64,linux/arm64',
    })
  }
  return {
    services: [...new Set(services)], output, tags, push, port,
    targets,
    binary,
    plan: options['plan'] === true,
    isInsecure: options['insecureRegistry'] === true,
    withSbom: options['sbom'] !== false,
  } // prettier-ignore
}

/** @throws FairwayError USAGE */
export function referencesOf(
  service: string,
  all: readonly string[],
  project: string,
  { tags, push }: ImageWish,
): ImageReference[] {
  const texts = tags.length === 0 ? [`${project}/{{service}}:latest`] : tags
  return texts.map((text) => {
    if (all.length > 1 && !text.includes('{{service}}')) {
      throw new FairwayError('USAGE', `--tag: ${all.join(' and ')} cannot both be ${text}`, {
        hint: `Write {{service}} where the name belongs, or name one: fairway image ${all[0] ?? 'web'} --tag ${text}`,
      })
    }
    const reference = parseReference(text.replaceAll('{{service}}', service))
    if (push && reference.registry === undefined) {
      throw new FairwayError('USAGE', `--tag: ${text} names no registry to push to`, {
        hint: `For example registry.example.com/${text}; one of this machine: localhost:5000/${text}`,
      })
    }
    return reference
  })
}

/** Where each service's image is written to: '-' is the standard output. @throws FairwayError USAGE */
export function nameFiles(
  services: readonly string[],
  { output }: ImageWish,
  { cwd, options, stdout }: CommandContext,
): ReadonlyMap<string, string> {
  if (output === '-') {
    const refuse = (why: string, hint?: string) => new FairwayError('USAGE', `--output -: ${why}`, { hint })
    if (services.length > 1)
      throw refuse('several images in one stream would be none', `Name one: ${services.join(', ')}`)
    if (options.json === true) throw refuse('the standard output is taken by --json')
    if (stdout.isTTY) throw refuse('the standard output is a terminal', 'fairway image --output - | docker load')
    return new Map(services.map((service) => [service, '-']))
  }
  if (output !== undefined && services.length > 1 && !output.includes('{{service}}')) {
    throw new FairwayError('USAGE', `--output: ${services.join(' and ')} cannot both be ${output}`, {
      hint: 'Write {{service}} where the name belongs: --output images/{{service}}.tar',
    })
  }
  const name = output ?? '{{service}}.tar'
  return new Map(services.map((service) => [service, resolve(cwd, name.replaceAll('{{service}}', service))]))
}
