/**
 * Every failure we can explain: the CLI takes `exit` (as in sysexits.h) from here, the API `http`, the docs `title`.
 * Each code has a page, docs/errors/CODE.md; a test holds the two together.
 */
export const errorCatalogue = {
  // What the user wrote.
  USAGE: { title: 'The command was not understood', exit: 64, http: 400 },
  CONFIG_INVALID: { title: 'fairway.yaml is not valid', exit: 78, http: 422 },
  VALUES_INVALID: { title: 'The configuration values are not valid', exit: 78, http: 422 },
  ENVIRONMENT_UNKNOWN: { title: 'The environment is not known', exit: 78, http: 422 },
  SERVICE_UNKNOWN: { title: 'The service is not known', exit: 66, http: 404 },
  SECRET_EXPOSED: { title: 'A secret stands where others can read it', exit: 78, http: 422 },
  // The source and the build.
  SOURCE_NOT_GO: { title: 'No Go module was found', exit: 66, http: 422 },
  MAIN_NOT_FOUND: { title: 'No main package was found', exit: 65, http: 422 },
  MAIN_AMBIGUOUS: { title: 'Several main packages could be meant', exit: 65, http: 422 },
  GO_MISSING: { title: 'Go is missing or too old', exit: 69, http: 422 },
  BUILD_FAILED: { title: 'The build failed', exit: 65, http: 422 },
  START_UNKNOWN: { title: 'It is not known how the program starts', exit: 78, http: 422 },
  CHECK_FAILED: { title: 'A check failed', exit: 65, http: 422 },
  CHECK_INCOMPLETE: { title: 'There is not enough evidence for a check', exit: 75, http: 503 },
  NOT_REPRODUCIBLE: { title: 'A rebuild gives another binary', exit: 65, http: 422 },
  MODULE_UNKNOWN: { title: 'The module or its version is not known', exit: 66, http: 404 },
  MODULE_INVALID: { title: 'A module breaks the rules of modules', exit: 65, http: 422 },
  MODULE_UNVERIFIED: { title: 'A module could not be verified', exit: 76, http: 502 },
  MODULE_UNAVAILABLE: { title: 'A module’s source does not answer as it should', exit: 69, http: 502 },
  ARTIFACT_CORRUPT: { title: 'An artifact is not what its digest says', exit: 74, http: 422 },
  IMAGE_IMPOSSIBLE: { title: 'No image can be made of the binary', exit: 65, http: 422 },
  // A registry of images.
  REGISTRY_DENIED: { title: 'The registry does not allow it', exit: 77, http: 403 },
  REGISTRY_REFUSED: { title: 'The registry refused the image', exit: 76, http: 502 },
  REGISTRY_UNREACHABLE: { title: 'The registry does not answer', exit: 69, http: 503 },
  // Releases.
  RELEASE_UNKNOWN: { title: 'The release is not known', exit: 66, http: 404 },
  RELEASE_PRUNED: { title: 'The release is no longer kept', exit: 66, http: 410 },
  ROLLOUT_BUSY: { title: 'A rollout is under way', exit: 75, http: 409 },
  ROLLOUT_NONE: { title: 'No rollout is under way', exit: 66, http: 404 },
  ROUTE_TAKEN: { title: 'The route belongs to another service', exit: 78, http: 409 },
  START_FAILED: { title: 'An instance did not become healthy', exit: 70, http: 502 },
  JOB_FAILED: { title: 'A job failed', exit: 70, http: 502 },
  // The machine.
  MACHINE_UNFIT: { title: 'The machine lacks something Fairway needs', exit: 69, http: 503 },
  HAPROXY_MISSING: { title: 'HAProxy is missing or too old', exit: 69, http: 503 },
  PORT_TAKEN: { title: 'A port is taken', exit: 69, http: 409 },
  DISK_FULL: { title: 'The disk is full', exit: 74, http: 507 },
  COMMAND_FAILED: { title: 'A command failed', exit: 70, http: 502 },
  COMMAND_TIMEOUT: { title: 'A command took too long', exit: 75, http: 504 },
  // The home and the control plane.
  HOME_UNUSABLE: { title: 'The home folder cannot be used', exit: 73, http: 503 },
  HOME_CONFIG_INVALID: { title: 'The home’s config.yaml is not valid', exit: 78, http: 422 },
  HOME_BUSY: { title: 'Another control plane works on this home', exit: 75, http: 409 },
  STATE_NEWER: { title: 'The state was written by a newer Fairway', exit: 78, http: 409 },
  STATE_CORRUPT: { title: 'The state cannot be read', exit: 74, http: 500 },
  SERVER_UNREACHABLE: { title: 'The control plane does not answer', exit: 69, http: 503 },
  SERVER_MISMATCH: { title: 'The control plane is of another version', exit: 76, http: 409 },
  UNAUTHORIZED: { title: 'The token is missing or wrong', exit: 77, http: 401 },
  REQUEST_INVALID: { title: 'The request is not valid', exit: 65, http: 400 },
  NOT_FOUND: { title: 'There is nothing at this address', exit: 66, http: 404 },
  LEASE_LOST: { title: 'Another control plane took over', exit: 75, http: 409 },
  // The gateway.
  GATEWAY_UNREACHABLE: { title: 'The gateway does not answer', exit: 69, http: 503 },
  GATEWAY_REFUSED: { title: 'The gateway refused an order', exit: 76, http: 502 },
  GATEWAY_UNCONFIRMED: { title: 'The gateway does not see the instance answer', exit: 76, http: 502 },
  // How a command may end.
  ABORTED: { title: 'The work was aborted', exit: 3, http: 409 },
} as const

export type ErrorCode = keyof typeof errorCatalogue

/** An error as data: what the API sends, the history keeps and the CLI prints. */
export interface ErrorReport {
  readonly code: ErrorCode | 'INTERNAL'
  readonly message: string
  readonly hint?: string
  /** Several findings of one check, each a sentence with its place. */
  readonly details?: readonly string[]
}

/** Shown as message and hint. Any other error is a bug of ours, shown with its stack. */
export class FairwayError extends Error {
  override readonly name = 'FairwayError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: readonly string[]

  constructor(
    code: ErrorCode,
    message: string,
    { hint, cause, details = [] }: { hint?: string | undefined; cause?: unknown; details?: readonly string[] } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.hint = hint
    this.details = details
  }

  get exit(): number {
    return errorCatalogue[this.code].exit
  }
}

export function reportError(error: unknown): ErrorReport {
  if (error instanceof FairwayError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.details.length === 0 ? {} : { details: error.details }),
    }
  }
  return { code: 'INTERNAL', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

/** The errno of a system call that failed: 'ENOENT'; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** A full disk is the user's to mend, not a bug: the same words wherever it strikes. */
export function explainWriteError(error: unknown, path: string): unknown {
  const errno = errnoOf(error)
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new FairwayError('DISK_FULL', `No space left while writing ${path}`, {
      hint: 'Free some space (df -h, du -xh --max-depth=2) and try again: nothing was half written.',
      cause: error,
    })
  }
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
    return new FairwayError('HOME_UNUSABLE', `${path} cannot be written (${errno})`, {
      hint: 'Choose another home with --home DIR or FAIRWAY_HOME, or give this user the folder.',
      cause: error,
    })
  }
  return error
}

/** Of a file or folder the user named, in words about that and not about the home. */
export function explainOutputError(error: unknown, path: string): unknown {
  const isOfHome = error instanceof FairwayError && error.code === 'HOME_UNUSABLE'
  if (error instanceof FairwayError && !isOfHome) return error
  const cause = isOfHome ? error.cause : error
  const errno = errnoOf(cause)
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || (errno === undefined && !isOfHome))
    return explainWriteError(cause, path)
  return new FairwayError('USAGE', `${path} cannot be written (${errno ?? 'something else stands in its way'})`, {
    hint: 'Name one in a folder that is there and that this user may write.',
    cause: error,
  })
}
