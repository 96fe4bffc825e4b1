/** The program of a thread: an entry point that scripts/build.ts puts into the binary beside the main one. */
export function threadFile(name: 'compressor-thread' | 'hash-thread'): string {
  return Bun.main.startsWith('/$bunfs/')
    ? `/$bunfs/root/host/${name}.js`
    : new URL(`./${name}.ts`, import.meta.url).href
}
