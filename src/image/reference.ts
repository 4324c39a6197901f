import { FairwayError } from '../base/error.ts'

/** What an image is called by. */
export interface ImageReference {
  /** 'registry.example.com:5000'; none where the name leaves it to whoever reads it. */
  readonly registry?: string
  /** 'shop/web' */
  readonly repository: string
  /** 'v1.2'; 'latest' where none was given. */
  readonly tag: string
}

const repositoryPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
const registryPattern =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/

/**
 * '[HOST[:PORT]/]NAME[:TAG]'. The first part is a registry where it has a dot or a colon, or is `localhost`.
 * @throws FairwayError USAGE
 * @see OCI Distribution Specification 1.1, "Pulling manifests"
 */
export function parseReference(text: string): ImageReference {
  const slash = text.indexOf('/')
  const head = slash < 0 ? '' : text.slice(0, slash)
  const hasRegistry = /[.:[]/.test(head) || head === 'localhost'
  const rest = hasRegistry ? text.slice(slash + 1) : text
  if (rest.includes('@')) throw refuse(text, 'a digest follows from the image and cannot be asked for')
  const colon = rest.lastIndexOf(':')
  const repository = colon < 0 ? rest : rest.slice(0, colon)
  const tag = colon < 0 ? 'latest' : rest.slice(colon + 1)
  if (hasRegistry && (!registryPattern.test(head) || Number(/:(\d+)$/.exec(head)?.[1] ?? 1) > 65_535))
    throw refuse(text, `${JSON.stringify(head)} is no registry’s HOST or HOST:PORT`)
  if (!repositoryPattern.test(repository) || repository.length > 255)
    throw refuse(
      text,
      `${JSON.stringify(repository)} is no name: lower-case words of a-z and 0-9, joined by . _ - and /`,
    )
  if (!tagPattern.test(tag))
    throw refuse(
      text,
      `${JSON.stringify(tag)} is no tag: at most 128 of A-Z, a-z, 0-9, _ . and -, not beginning with . or -`,
    )
  return { ...(hasRegistry ? { registry: head } : {}), repository, tag }
}

function refuse(text: string, why: string): FairwayError {
  return new FairwayError('USAGE', `${JSON.stringify(text)} is no image’s name: ${why}`, {
    hint: 'Write [REGISTRY/]NAME[:TAG], for example registry.example.com/shop/web:v1',
  })
}

/** 'registry.example.com/shop/web:v1' */
export function referenceText({ registry, repository, tag }: ImageReference): string {
  return `${registry === undefined ? '' : `${registry}/`}${repository}:${tag}`
}

/** As containerd stores names: one without a registry belongs to the domain that Docker gave its name to. */
export function fullReferenceText(reference: ImageReference): string {
  if (reference.registry !== undefined) return referenceText(reference)
  const repository = reference.repository.includes('/') ? reference.repository : `library/${reference.repository}`
  return `docker.io/${repository}:${reference.tag}`
}
