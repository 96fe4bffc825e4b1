import { readCount, readSize } from './numbers.ts'
import { type AccountNumbers, readOwnership } from './ownership.ts'
import { DirectiveProblem } from './problem.ts'
import type { Criterion, Ownership, ScriptName, Settings } from './settings.ts'
import { splitWords } from './words.ts'

/** What a directive may use of the parser that came upon it. */
export interface Place extends AccountNumbers {
  /** The rest of the line. */
  rest(): string
  /** What follows on the line; throws when there is nothing. `name` is what the complaint calls it. */
  value(name: string): string
  /** The same; when there is nothing it is told, and undefined. */
  valueIfAny(name: string): string | undefined
  /** Everything from here on, line by line: logrotate shows it in some complaints. */
  remainder(): string
  /** An expanded home, or a complaint. */
  atHome(path: string): string
  isPrintable(text: string): boolean
  criterion(criterion: Criterion): void
  debug(message: string): void
  warnHere(message: string): void
}

type Directive = (settings: Settings, place: Place) => void

const assign = (values: Partial<Settings>): Directive => {
  return (settings) => {
    Object.assign(settings, values)
  }
}

const every = (criterion: Criterion): Directive => {
  return (_, place) => place.criterion(criterion)
}

/** Directives without a value. What follows one on its line is read as further directives. */
const FLAGS: Record<string, Directive> = {
  hourly: every({ kind: 'hourly' }),
  daily: every({ kind: 'daily' }),
  monthly: every({ kind: 'monthly' }),
  yearly: every({ kind: 'yearly' }),
  compress: assign({ compress: true }),
  nocompress: assign({ compress: false }),
  delaycompress: assign({ delayCompress: true }),
  nodelaycompress: assign({ delayCompress: false }),
  copy: assign({ copy: true }),
  nocopy: assign({ copy: false }),
  copytruncate: assign({ copyTruncate: true, renameCopy: false }),
  nocopytruncate: assign({ copyTruncate: false }),
  renamecopy: assign({ renameCopy: true, copyTruncate: false }),
  norenamecopy: assign({ renameCopy: false }),
  nocreate: assign({ create: false }),
  nocreateolddir: assign({ createOldDirectory: false }),
  noolddir: assign({ oldDirectory: undefined }),
  dateext: assign({ dateExtension: true }),
  nodateext: assign({ dateExtension: false }),
  dateyesterday: assign({ dateYesterday: true }),
  nodateyesterday: assign({ dateYesterday: false }),
  datehourago: assign({ dateHourAgo: true }),
  nodatehourago: assign({ dateHourAgo: false }),
  ifempty: assign({ ifEmpty: true }),
  notifempty: assign({ ifEmpty: false }),
  missingok: assign({ missingOk: true }),
  nomissingok: assign({ missingOk: false }),
  ignoreduplicates: assign({ ignoreDuplicates: true }),
  allowhardlink: assign({ allowHardLink: true }),
  noallowhardlink: assign({ allowHardLink: false }),
  nomail: assign({ mail: undefined }),
  mailfirst: assign({ mailFirst: true }),
  maillast: assign({ mailFirst: false }),
  shred: assign({ shred: true }),
  noshred: assign({ shred: false }),
  sharedscripts: assign({ sharedScripts: true }),
  nosharedscripts: assign({ sharedScripts: false }),
}

const VALUED: Record<string, Directive> = {
  rotate: (settings, place) => {
    const value = place.value('rotate count')
    const count = readCount(value)
    if (count === undefined || count < -1) throw new DirectiveProblem(`bad rotation count '${value}'`)
    settings.rotate = count
  },
  start: (settings, place) => {
    settings.start = count(place, 'start count', (value) => `bad start count '${value}'`)
  },
  shredcycles: (settings, place) => {
    settings.shredCycles = count(place, 'shred cycles', (value) => `bad shred cycles '${value}'`)
  },
  minage: (settings, place) => {
    settings.minAgeDays = count(place, 'minage count', () => `bad minimum age '${place.remainder()}'`)
  },
  maxage: (settings, place) => {
    settings.maxAgeDays = count(place, 'maxage count', () => `bad maximum age '${place.remainder()}'`)
  },
  size: (_, place) => {
    const bytes = size('size', place)
    if (bytes !== undefined) place.criterion({ kind: 'size', bytes })
  },
  minsize: (settings, place) => {
    settings.minSizeBytes = size('minsize', place) ?? settings.minSizeBytes
  },
  maxsize: (settings, place) => {
    settings.maxSizeBytes = size('maxsize', place) ?? settings.maxSizeBytes
  },
  minutes: (_, place) => {
    const value = place.value('minutes')
    const minutes = value === '' ? undefined : readCount(value)
    if (minutes === undefined || minutes <= 0) throw new DirectiveProblem(`bad minutes '${value}'`)
    place.criterion({ kind: 'minutes', count: minutes })
  },
  weekly: (_, place) => {
    place.criterion({ kind: 'weekly', weekday: 0 })
    const value = place.rest()
    const weekday = value === '' ? 0 : Number(/^\s*\+?([0-9]{1,9})$/.exec(value)?.[1] ?? 8)
    if (weekday > 7) throw new DirectiveProblem(`bad weekly directive '${value}'`, 'file')
    place.criterion({ kind: 'weekly', weekday })
  },
  dateformat: (settings, place) => {
    settings.dateFormat = place.valueIfAny('dateformat')
  },
  extension: (settings, place) => {
    settings.extension = place.value('extension name')
    place.debug(`extension is now ${settings.extension}`)
  },
  addextension: (settings, place) => {
    settings.addExtension = place.value('addextension name')
    place.debug(`addextension is now ${settings.addExtension}`)
  },
  olddir: (settings, place) => {
    settings.oldDirectory = undefined
    settings.oldDirectory = place.atHome(path('olddir', place))
    place.debug(`olddir is now ${settings.oldDirectory}`)
  },
  compresscmd: (settings, place) => {
    settings.compressCommand = path('compress', place)
    place.debug(`compress_prog is now ${settings.compressCommand}`)
    const extension = COMPRESS_EXTENSIONS[/([^/]*)\/*$/.exec(settings.compressCommand)?.[1] ?? '']
    if (extension === undefined) return
    settings.compressExtension = extension
    place.debug(`compress_ext was changed to ${extension}`)
  },
  uncompresscmd: (settings, place) => {
    settings.uncompressCommand = path('uncompress', place)
    place.debug(`uncompress_prog is now ${settings.uncompressCommand}`)
  },
  compressext: (settings, place) => {
    settings.compressExtension = path('compress-ext', place)
    place.debug(`compress_ext is now ${settings.compressExtension}`)
  },
  compressoptions: (settings, place) => {
    settings.compressOptions = []
    const text = place.rest()
    const words = splitWords(text)
    if (!words) throw new DirectiveProblem('invalid compression options')
    settings.compressOptions = words
    place.debug(`compress_options is now ${text}`)
  },
  mail: (settings, place) => {
    settings.mail = undefined
    const from = place.remainder()
    const address = place.value('mail')
    if (!/^[!-~]*$/.test(address)) throw new DirectiveProblem(`bad mail address ${from}`)
    settings.mail = address
  },
  su: (settings, place) => {
    const { mode, uid, gid } = ownership('su', { ...settings.su }, place)
    if (mode !== undefined) throw new DirectiveProblem('extra arguments for su')
    if (uid === undefined) throw new DirectiveProblem('no user for su')
    if (gid === undefined) throw new DirectiveProblem('no group for su')
    settings.su = { uid, gid }
  },
  create: (settings, place) => {
    settings.createAs = ownership('create', settings.createAs, place)
    settings.create = true
  },
  createolddir: (settings, place) => {
    settings.oldDirectoryAs = { mode: 0o755, ...ownership('createolddir', settings.oldDirectoryAs, place) }
    settings.createOldDirectory = true
  },
  errors: (_, place) => place.warnHere('the errors directive is deprecated and no longer used.'),
}

export const DIRECTIVES: ReadonlyMap<string, Directive> = new Map(Object.entries({ ...FLAGS, ...VALUED }))

/** Directives that begin a script, with what logrotate knows of an error in them. */
export const isScriptName = (word: string): word is ScriptName =>
  ['firstaction', 'prerotate', 'postrotate', 'lastaction', 'preremove'].includes(word)

const COMPRESS_EXTENSIONS: Record<string, string> = {
  gzip: '.gz',
  bzip2: '.bz2',
  xz: '.xz',
  zstd: '.zst',
  compress: '.Z',
  zip: '.zip',
}

const UNITS: Record<string, number> = { k: 1024, K: 1024, M: 1_048_576, G: 1_073_741_824 }

function count(place: Place, name: string, complaint: (value: string) => string): number {
  const value = place.value(name)
  const number = readCount(value)
  if (number === undefined || number < 0) throw new DirectiveProblem(complaint(value))
  return number
}

/** Undefined: there is none. */
function size(name: string, place: Place): number | undefined {
  const value = leniently(() => place.value(name))
  if (value === '') return undefined
  const last = value.at(-1) ?? ''
  const unit = UNITS[last]
  if (unit === undefined && !/[0-9]/.test(last)) throw new DirectiveProblem(`unknown unit '${last}'`)
  const digits = unit === undefined ? value : value.slice(0, -1)
  const bytes = readSize(digits, unit ?? 1)
  if (bytes === undefined) throw new DirectiveProblem(`bad size '${digits}'`)
  return bytes
}

/** A missing value is told, and spoils nothing. */
export function leniently<T>(read: () => T): T {
  try {
    return read()
  } catch (problem) {
    if (problem instanceof DirectiveProblem) throw new DirectiveProblem(problem.message, 'word')
    throw problem
  }
}

function path(name: string, place: Place): string {
  const value = place.value(name)
  if (!place.isPrintable(value) || /[ \t]/.test(value)) {
    throw new DirectiveProblem(`bad ${name} path ${value}`)
  }
  return value
}

function ownership(directive: string, before: Ownership, place: Place): Ownership {
  const read = readOwnership(place.rest(), directive, place)
  if ('problem' in read) throw new DirectiveProblem(read.problem)
  return { ...before, ...read }
}
