import { rules } from '../src/lint/index.ts'

/** docs/lint.md, from the rules themselves. */
export function lintPageText(): string {
  const sections = rules.map(({ id, severity, title, why, remedy }) =>
    [`### ${id}`, `**${severity}** · ${title}.`, why, `*What to do:* ${remedy}`].join('\n\n'),
  )
  return `${head}\n\n${sections.join('\n\n')}\n`
}

const head = `# What hurts in a tree

Generated from the rules by \`node scripts/generate-cli.ts\`.

\`fairway lint layout\` reads a source tree and says what in it will hurt, with file and line, why, and what to do. It gives reasons, not
taste: each rule is about something that breaks a build or a service. Nothing of the tree is run, no Go is needed, and a tree that
does not build is read all the same. Where there is git, it looks at what git has or would take; what is
about that (secrets, executables, a go.work) is not said without it.

- **breaks**: it does not build, for somebody else at least, or a secret is out;
- **hurts**: in production, sooner or later;
- **note**: worth knowing.

It exits with 0 whatever it finds; with \`--strict\` it ends with [CHECK_FAILED](errors/CHECK_FAILED.md) where something breaks or hurts. What is meant to be so
says so in the code, on its line or the one before: \`//fairway:allow RULE reason\`.

A rule reads the text of Go, not its types: it is made to be silent rather than wrong. Folders for tests, examples and tools
are looked at only where that matters.

## Rules`
