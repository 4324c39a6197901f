/** A command run before the build. */
export interface GenerateStep {
  /** Below the project's folder: 'web', '.' */
  readonly in: string
  readonly run: readonly string[]
}

/** `go:` of fairway.yaml: what is absent is detected, or has Go's own default. */
export interface GoSettings {
  readonly tags?: readonly string[]
  /** As the linker takes them, joined by spaces; `{{tag}}` and `{{commit}}` not yet filled in. */
  readonly ldflags?: readonly string[]
  /** 'static': with the C library inside. */
  readonly cgo?: boolean | 'static'
  /** None where it is empty; detected where it is absent. */
  readonly generate?: readonly GenerateStep[]
}
