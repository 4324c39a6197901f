import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readText } from '../base/read-file.ts'

/** Deeper than any layout that people use; what lies below is somebody else's. */
const maxDepth = 6
/** Folders that go passes by, and those of other languages. */
const passedBy = /^(?:[._].*|vendor|testdata|node_modules)$/

/** The first main package at or below a folder, from there: '.', 'cmd/web'; undefined where there is none. */
export async function findProgram(folder: string, below = '.', depth = 0): Promise<string | undefined> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => [])
  for (const { name } of entries) {
    if (!name.endsWith('.go') || name.endsWith('_test.go')) continue
    const text = await readText(join(folder, below, name)).catch(() => '')
    // Generators lie beside libraries, each a `package main` that go leaves out.
    if (/^\/\/(?:go:build|\s*\+build)\s+ignore\b/m.test(text)) continue
    if (/^package\s+main\b/m.test(text.replaceAll(/\/\*[\s\S]*?\*\//g, ''))) return below
  }
  if (depth >= maxDepth) return undefined
  for (const entry of entries) {
    if (!entry.isDirectory() || passedBy.test(entry.name)) continue
    const found = await findProgram(folder, join(below, entry.name), depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}
