import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FairwayEventBody } from '../../src/base/event.ts'
import { TestFairway } from '../../test/harness/fairway.ts'
import { type Figure, median, type Part } from '../figure.ts'

const rounds = 15

const program = (version: number) => `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok ${version}") })
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
`

/** A sandbox, the program in it, what it listens on and what it answers there: all that `up` does besides for one that is not described. */
export const part: Part = {
  name: 'trial',
  what: `trying out a program that obeys PORT; ${rounds} binaries, each another`,
  async measure(say): Promise<Figure[]> {
    await using fairway = await TestFairway.create()
    const cwd = fairway.root
    await writeFile(join(cwd, 'go.mod'), 'module example.com/shop\n\ngo 1.24\n')
    const took: number[] = []
    for (let round = 0; round <= rounds; round += 1) {
      await writeFile(join(cwd, 'main.go'), program(round))
      const { events } = await fairway.ok(['build', '--explain'], { cwd })
      const done = (events as FairwayEventBody[]).find((event) => event.kind === 'trial-done')
      if (done?.tries !== 1) throw new Error('it was not found at the first try')
      if (round === 0) continue // of the first all is cold
      took.push(done.tookMs)
      say(`${done.tookMs} ms`)
    }
    const value = median(took)
    return [
      {
        figure: 'trying out a program that obeys `PORT`',
        measured: `${value.toFixed(0)} ms`,
        bar: '≤ 150 ms',
        holds: value <= 150,
        detail: `median of ${rounds}, ${Math.min(...took)} to ${Math.max(...took)} ms`,
      },
    ]
  },
}
