import { commandTable, globalOptions } from '../src/cli/command-table.ts'
import type { CommandOption } from '../src/cli/command.ts'

/** docs/commands.md, from the table that the command line itself is made of. */
export function commandsPageText(): string {
  const commands = commandTable.map(({ words, summary, positionals = [], options = [], examples }) =>
    [
      `### ${['fairway', words, ...positionals].join(' ')}`,
      `${summary}.`,
      ...(options.length === 0 ? [] : [optionTable(options)]),
      ['```sh', ...examples.map(([example, what]) => `${example}   # ${what}`), '```'].join('\n'),
    ].join('\n\n'),
  )
  return `${head}\n\n${optionTable(globalOptions)}\n\n${tail}\n\n${commands.join('\n\n')}\n`
}

const head = `# Commands

Generated from the command line’s own table by \`node scripts/generate-cli.ts\`; \`fairway help COMMAND\` says the same.

Every command takes these options, before or after its name:`

const tail = `Results go to stdout, what happens meanwhile to stderr. On a terminal it is drawn live; in a pipe, in CI (\`CI\`), on a dumb
terminal, with \`ACCESSIBLE\` or \`--plain\` it comes as lines. \`NO_COLOR\` takes the colours away. With \`--json\` every line is an
event and the last one the result ([events](events.md)); the exit status is the result’s ([errors](errors/README.md)).

A change of an environment with \`protected: true\` shows its plan and asks; \`--yes\` answers beforehand, and without a terminal
nobody is asked: the command is refused.`

function optionTable(options: readonly CommandOption[]): string {
  const rows = options.map(({ flags, description }) => `| \`${flags}\` | ${description} |`)
  return ['| option | |', '| --- | --- |', ...rows].join('\n')
}
