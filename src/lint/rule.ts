import type { Tree } from './tree.ts'

/** `breaks`: it does not build, or a secret is out; `hurts`: in production, sooner or later; `note`: worth knowing. */
export type Severity = 'breaks' | 'hurts' | 'note'

/** One place where a rule has something to say. */
export interface Remark {
  /** 'cmd/web/main.go', from the folder. */
  readonly file: string
  /** 0: all of the file. */
  readonly line: number
  /** What is there, in this case. */
  readonly message: string
}

/** A reason, not a taste: what is there, why it hurts, what to do. */
export interface Rule {
  /** 'exit-in-library' */
  readonly id: string
  readonly severity: Severity
  /** What it looks for. */
  readonly title: string
  readonly why: string
  readonly remedy: string
  readonly find: (tree: Tree) => readonly Remark[]
}
