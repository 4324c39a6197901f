import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { inOrderOfNeeds } from './needs.ts'

interface Named {
  readonly name: string
  readonly needs: readonly string[]
}
const item = (name: string, needs: readonly string[]): Named => ({ name, needs })
const inOrder = (items: readonly Named[]) => inOrderOfNeeds(items, (one) => one).map(({ name }) => name)

test('what is needed comes before who needs it, every service once, and nothing else moves', () => {
  const services = ['a', 'b', 'c', 'd', 'e', 'f']
  // Needs point to earlier letters alone, so there are no circles; the order in the file is any.
  const graphs = fc.tuple(
    fc.tuple(...services.map((_, index) => fc.subarray(services.slice(0, index)))),
    fc.shuffledSubarray(services, { minLength: services.length }),
  )
  fc.assert(
    fc.property(graphs, ([needs, order]) => {
      const written = order.map((service) => item(service, needs[services.indexOf(service)] ?? []))
      const ordered = inOrder(written)
      expect(ordered.toSorted()).toEqual(services)
      for (const { name, needs: wanted } of written) {
        for (const need of wanted) expect(ordered.indexOf(need)).toBeLessThan(ordered.indexOf(name))
      }
    }),
  )
  const independent = services.toReversed().map((service) => item(service, []))
  expect(inOrder(independent)).toEqual(services.toReversed())
})

test('a need that is not delivered now stands already: it delays nobody', () => {
  expect(inOrder([item('web', ['db']), item('api', [])])).toEqual(['web', 'api'])
})

test('a circle the schema should have refused ends all the same', () => {
  expect(inOrder([item('a', ['b']), item('b', ['a'])]).toSorted()).toEqual(['a', 'b'])
})
