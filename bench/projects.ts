/** The service of the demo: one file, the standard library alone. */
export const example = new URL('../examples/hello', import.meta.url).pathname
