/** What starts a rotation, of the clock or of the size. The last one named in a file counts. */
export type Criterion =
  | { kind: 'size'; bytes: number }
  | { kind: 'minutes'; count: number }
  | { kind: 'hourly' }
  | { kind: 'daily' }
  | { kind: 'weekly'; weekday: number }
  | { kind: 'monthly' }
  | { kind: 'yearly' }

/** Mode and owners of what is made; what is undefined is taken from the log. */
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
  rotate: number
  start: number
  keep: 'rename' | 'copy' | 'copytruncate' | 'renamecopy' | 'copy+copytruncate'
  create: Ownership | undefined
  oldDirectory: string | undefined
  createOldDirectory: Ownership | undefined
  su: { uid: number; gid: number } | undefined
  dateExtension: boolean
  dateFormat: string | undefined
  dateShift: 'yesterday' | 'hour-ago' | undefined
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
  keep: 'rename',
  create: undefined,
  oldDirectory: undefined,
  createOldDirectory: undefined,
  su: undefined,
  dateExtension: false,
  dateFormat: undefined,
  dateShift: undefined,
  extension: undefined,
  addExtension: undefined,
  compress: false,
  delayCompress: false,
  compressCommand: '/bin/gzip',
  uncompressCommand: '/bin/gunzip',
  compressExtension: '.gz',
  compressOptions: ['-6'],
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

/** Names that end so are no configuration of their own when a directory is included (`tabooext`). */
export const TABOO_EXTENSIONS = [
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
]
