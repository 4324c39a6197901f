import { writeFile } from 'node:fs/promises'
import { operationTableText } from './operation-table.ts'

/** Writes the plain table the command line is made of: run it after an operation changed. */
await writeFile(new URL('../src/cli/generated/operations.ts', import.meta.url), operationTableText())
