/** A service to scaffold: one that answers HTTP, or one that works in the background. */
export interface NewService {
  /** A service's name; also its folder below cmd/. */
  readonly name: string
  readonly kind: 'web' | 'worker'
}

export interface ScaffoldOrder {
  /** The project's name, for fairway.yaml and the README. */
  readonly project: string
  /** Import path of the module: 'github.com/acme/shop'. */
  readonly module: string
  readonly services: readonly NewService[]
  /** What was detected for want of services in fairway.yaml, and would be no service any more once these stand there. */
  readonly former?: readonly FormerService[]
}

export interface FormerService {
  readonly name: string
  /** Its main package: './cmd/shop' */
  readonly build: string
}

/** What stands in the folder already, as far as it matters. */
export interface Ground {
  readonly hasModule: boolean
  /** internal/httpserver is there: it is used as it is. */
  readonly hasHttpServer: boolean
  /** The text of fairway.yaml. */
  readonly projectFile: string | undefined
  readonly hasReadme: boolean
  readonly hasGitignore: boolean
}

/** A file to write, from the project's folder. */
export interface ScaffoldFile {
  readonly path: string
  readonly text: string
  /** true: the one file that is changed rather than made. */
  readonly isChange?: boolean
}
