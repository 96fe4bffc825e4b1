/** What starts a rotation, of the clock or of the size. The last one named in a file counts. */
export type Criterion =
  | { kind: 'size'; bytes: number }
  | { kind: 'minutes'; count: number }
  | { kind: 'hourly' }
  | { kind: 'daily' }
  | { kind: 'weekly'; weekday: number }
  | { kind: 'monthly' }
  | { kind: 'yearly' }

/** Mode and owners of what is made; what is undefined is taken from the log, or left as it is made. */
export interface Ownership {
  mode?: number
  uid?: number
  gid?: number
}

export const SCRIPTS = ['firstaction', 'prerotate', 'postrotate', 'lastaction', 'preremove'] as const
export type ScriptName = (typeof SCRIPTS)[number]

/** Everything the directives of logrotate say about a set of logs. Sizes in bytes, ages in days. */
export interface Settings {
  criterion: Criterion
  minSizeBytes: number
  maxSizeBytes: number
  minAgeDays: number
  maxAgeDays: number
  /** Old logs that are kept; -1: all. */
  rotate: number
  start: number
  copy: boolean
  copyTruncate: boolean
  renameCopy: boolean
  create: boolean
  /** Outlives `nocreate`: a later `create` without arguments takes what an earlier one said. */
  createAs: Ownership
  oldDirectory: string | undefined
  createOldDirectory: boolean
  oldDirectoryAs: Ownership
  su: { uid: number; gid: number } | undefined
  dateExtension: boolean
  dateFormat: string | undefined
  dateYesterday: boolean
  dateHourAgo: boolean
  extension: string | undefined
  addExtension: string | undefined
  compress: boolean
  delayCompress: boolean
  compressCommand: string
  uncompressCommand: string
  compressExtension: string
  compressOptions: string[]
  ifEmpty: boolean
  missingOk: boolean
  ignoreDuplicates: boolean
  allowHardLink: boolean
  mail: string | undefined
  mailFirst: boolean
  shred: boolean
  shredCycles: number
  sharedScripts: boolean
  scripts: Partial<Record<ScriptName, string>>
}

/** One block of a file: its pattern as it stands there, and the logs that it matched when it was read. */
export interface LogSet {
  pattern: string
  files: string[]
  settings: Settings
}

export const DEFAULTS: Settings = {
  criterion: { kind: 'size', bytes: 1_048_576 },
  minSizeBytes: 0,
  maxSizeBytes: 0,
  minAgeDays: 0,
  maxAgeDays: 0,
  rotate: 0,
  start: 1,
  copy: false,
  copyTruncate: false,
  renameCopy: false,
  create: false,
  createAs: {},
  oldDirectory: undefined,
  createOldDirectory: false,
  oldDirectoryAs: {},
  su: undefined,
  dateExtension: false,
  dateFormat: undefined,
  dateYesterday: false,
  dateHourAgo: false,
  extension: undefined,
  addExtension: undefined,
  compress: false,
  delayCompress: false,
  compressCommand: '/bin/gzip',
  uncompressCommand: '/bin/gunzip',
  compressExtension: '.gz',
  compressOptions: [],
  ifEmpty: true,
  missingOk: false,
  ignoreDuplicates: false,
  allowHardLink: false,
  mail: undefined,
  mailFirst: false,
  shred: false,
  shredCycles: 0,
  sharedScripts: false,
  scripts: {},
}

/** Names that match are no configuration of their own when a directory is included (`tabooext`, `taboopat`). */
export const TABOO_PATTERNS = [
  ',v',
  '.bak',
  '.cfsaved',
  '.disabled',
  '.dpkg-bak',
  '.dpkg-del',
  '.dpkg-dist',
  '.dpkg-new',
  '.dpkg-old',
  '.dpkg-tmp',
  '.new',
  '.old',
  '.orig',
  '.rhn-cfg-tmp-*',
  '.rpmnew',
  '.rpmorig',
  '.rpmsave',
  '.swp',
  '.ucf-dist',
  '.ucf-new',
  '.ucf-old',
  '~',
].map((extension) => `*${extension}`)
