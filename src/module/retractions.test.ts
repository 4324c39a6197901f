import { expect, test } from 'vitest'
import { readRetractions } from './retractions.ts'

test('a go.mod takes back versions, ranges and blocks of these, with a reason beside or above', () => {
  const why = readRetractions(`module example.com/m

retract v1.0.0 // beside
// above,
// in two lines
retract [v1.4.0, v1.4.9]

retract (
	v1.1.0
	// a block's
	[ v1.2.0 , v1.2.9 ] // its own
)
require example.com/n v1.5.0
`)
  const versions = ['v1.0.0', 'v1.0.1', 'v1.1.0', 'v1.2.5', 'v1.3.0', 'v1.4.1', 'v1.5.0']
  expect(versions.map(why)).toEqual(['beside', undefined, '', 'its own', undefined, 'above, in two lines', undefined])
})
