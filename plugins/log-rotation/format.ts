/** Formats of the programs of the host. */
export type ProgramFormat = 'xz' | 'bzip2'
export type ArchiveFormat = 'gzip' | 'zstd' | ProgramFormat
export type Compression = 'none' | ArchiveFormat

export const SUFFIXES: Record<Compression, string> = {
  none: '',
  gzip: '.gz',
  zstd: '.zst',
  xz: '.xz',
  bzip2: '.bz2',
}

const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'zstd', 'xz', 'bzip2']

/** The compression that gives names this suffix; '' is none. */
export function compressionOf(suffix: string): Compression | undefined {
  return COMPRESSIONS.find((compression) => SUFFIXES[compression] === suffix)
}

/** What a set that compresses in this format has to be able to run. */
export const PROGRAMS: Record<ProgramFormat, [pack: [string, string], unpack: [string, string]]> = {
  xz: [
    ['/usr/bin/xz', '-c'],
    ['/usr/bin/xz', '-dc'],
  ],
  bzip2: [
    ['/usr/bin/bzip2', '-c'],
    ['/usr/bin/bzip2', '-dc'],
  ],
}
