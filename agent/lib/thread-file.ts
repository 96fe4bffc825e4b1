/**
 * The program of a thread: an entry point that scripts/build.ts puts into the binary beside the main one. `name` is its
 * path in the sources, without the suffix.
 */
export function threadFile(name: string): string {
  return Bun.main.startsWith('/$bunfs/')
    ? `/$bunfs/root/${name}.js`
    : new URL(`../../${name}.ts`, import.meta.url).href
}
