/** '1 module', '2 modules', '0 modules'; `many` where it is no `s`: '2 entries'. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
