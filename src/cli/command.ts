import type { CommandContext } from './context.ts'

export interface CommandOption {
  /** As commander writes it: '-f, --follow', '--to <N>' */
  readonly flags: string
  readonly description: string
}

export interface CommandSpec {
  /** 'up', or 'rollout abort' */
  readonly words: string
  readonly summary: string
  /** As commander writes them: '[SOURCE]', '[SERVICE...]' */
  readonly positionals?: readonly string[]
  readonly options?: readonly CommandOption[]
  readonly examples: readonly (readonly [command: string, what: string])[]
  /** Takes no project: works on the home or the machine alone. */
  readonly isBare?: boolean
  readonly load: () => Promise<CommandModule>
}

export interface CommandInput {
  readonly words: string
  readonly positionals: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | undefined>>
}

export interface CommandModule {
  /** @returns the exit status */
  run(input: CommandInput, context: CommandContext): Promise<number>
}
