import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { inOrderOfNeeds } from './deploy.ts'
import type { Delivery } from './wire.ts'

const delivery = (service: string, needs: readonly string[]) => ({ specification: { service, needs } }) as Delivery
const names = (all: readonly Delivery[]) => all.map(({ specification }) => specification.service)

test('what is needed comes before who needs it, every service once, and nothing else moves', () => {
  const services = ['a', 'b', 'c', 'd', 'e', 'f']
  // Needs point to earlier letters alone, so there are no circles; the order in the file is any.
  const graphs = fc.tuple(
    fc.tuple(...services.map((_, index) => fc.subarray(services.slice(0, index)))),
    fc.shuffledSubarray(services, { minLength: services.length }),
  )
  fc.assert(
    fc.property(graphs, ([needs, order]) => {
      const written = order.map((service) => delivery(service, needs[services.indexOf(service)] ?? []))
      const ordered = names(inOrderOfNeeds(written))
      expect(ordered.toSorted()).toEqual(services)
      for (const { specification } of written) {
        for (const need of specification.needs) {
          expect(ordered.indexOf(need)).toBeLessThan(ordered.indexOf(specification.service))
        }
      }
    }),
  )
  const independent = services.toReversed().map((service) => delivery(service, []))
  expect(names(inOrderOfNeeds(independent))).toEqual(services.toReversed())
})

test('a need that is not delivered now stands already: it delays nobody', () => {
  expect(names(inOrderOfNeeds([delivery('web', ['db']), delivery('api', [])]))).toEqual(['web', 'api'])
})

test('a circle the schema should have refused ends all the same', () => {
  expect(names(inOrderOfNeeds([delivery('a', ['b']), delivery('b', ['a'])])).toSorted()).toEqual(['a', 'b'])
})
