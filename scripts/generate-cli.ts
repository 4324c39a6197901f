import { writeFile } from 'node:fs/promises'
import { lintPageText } from './lint-page.ts'
import { operationTableText } from './operation-table.ts'

/** Writes what is made of the operations, the command line's table and the rules of `lint`: run it after one of them changed. */
await writeFile(new URL('../src/cli/generated/operations.ts', import.meta.url), operationTableText())
const { commandsPageText } = await import('./commands-page.ts') // reads the table just written
await writeFile(new URL('../docs/commands.md', import.meta.url), commandsPageText())
await writeFile(new URL('../docs/lint.md', import.meta.url), lintPageText())
