import { splitWords } from './scanner.ts'
import type { Criterion, Ownership, Settings } from './settings.ts'

/** What a file says wrong; the message goes behind `file:line `. */
export class DirectiveProblem extends Error {}

/** Numbers of accounts by name. Undefined: there is none. */
export interface AccountNumbers {
  userId(name: string): number | undefined
  groupId(name: string): number | undefined
  home(): string
}

type Flag = (settings: Settings) => void
type Valued = (settings: Settings, value: string, accounts: AccountNumbers) => void

const interval = (kind: 'hourly' | 'daily' | 'monthly' | 'yearly'): Flag => {
  return (settings) => {
    settings.criterion = { kind }
  }
}

const assign = (values: Partial<Settings>): Flag => {
  return (settings) => {
    Object.assign(settings, values)
  }
}

/** Directives without a value. What follows one on its line is read as further directives. */
export const FLAGS: Record<string, Flag> = {
  hourly: interval('hourly'),
  daily: interval('daily'),
  monthly: interval('monthly'),
  yearly: interval('yearly'),
  compress: assign({ compress: true }),
  nocompress: assign({ compress: false }),
  delaycompress: assign({ delayCompress: true }),
  nodelaycompress: assign({ delayCompress: false }),
  copy: (settings) => {
    settings.keep = settings.keep === 'copytruncate' ? 'copy+copytruncate' : 'copy'
  },
  nocopy: (settings) => {
    if (settings.keep === 'copy+copytruncate') settings.keep = 'copytruncate'
    if (settings.keep === 'copy') settings.keep = 'rename'
  },
  copytruncate: (settings) => {
    settings.keep = settings.keep === 'copy' ? 'copy+copytruncate' : 'copytruncate'
  },
  nocopytruncate: (settings) => {
    if (settings.keep === 'copy+copytruncate') settings.keep = 'copy'
    if (settings.keep === 'copytruncate') settings.keep = 'rename'
  },
  renamecopy: assign({ keep: 'renamecopy' }),
  norenamecopy: (settings) => {
    if (settings.keep === 'renamecopy') settings.keep = 'rename'
  },
  nocreate: assign({ create: undefined }),
  nocreateolddir: assign({ createOldDirectory: undefined }),
  noolddir: assign({ oldDirectory: undefined }),
  dateext: assign({ dateExtension: true }),
  nodateext: assign({ dateExtension: false }),
  dateyesterday: assign({ dateShift: 'yesterday' }),
  datehourago: assign({ dateShift: 'hour-ago' }),
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

/** Directives with a value: the rest of the line. */
export const VALUED: Record<string, Valued> = {
  rotate: (settings, value) => {
    const count = value === '-1' ? -1 : wholeNumber(value)
    if (count === undefined) throw new DirectiveProblem(`bad rotation count '${value}'`)
    settings.rotate = count
  },
  start: number('start', 'bad start count'),
  minage: number('minAgeDays', 'bad minimum age'),
  maxage: number('maxAgeDays', 'bad maximum age'),
  shredcycles: number('shredCycles', 'bad shred cycles'),
  size: (settings, value) => {
    settings.criterion = { kind: 'size', bytes: size(value) }
  },
  minsize: (settings, value) => {
    settings.minSizeBytes = size(value)
  },
  maxsize: (settings, value) => {
    settings.maxSizeBytes = size(value)
  },
  minutes: (settings, value) => {
    const count = wholeNumber(value)
    if (!count) throw new DirectiveProblem(`bad minutes directive '${value}'`)
    settings.criterion = { kind: 'minutes', count }
  },
  olddir: (settings, value, accounts) => {
    settings.oldDirectory = expandHome(oneWord(value), accounts)
  },
  dateformat: text('dateFormat'),
  extension: text('extension'),
  addextension: text('addExtension'),
  compresscmd: (settings, value) => {
    settings.compressCommand = oneWord(value)
    const extension = COMPRESS_EXTENSIONS[baseOf(settings.compressCommand)]
    if (extension) settings.compressExtension = extension
  },
  uncompresscmd: text('uncompressCommand'),
  compressext: text('compressExtension'),
  mail: (settings, value) => {
    const words = value.split(/\s+/)
    if (words.length !== 1) throw new DirectiveProblem(`bad mail address ${value}`)
    settings.mail = value
  },
  su: (settings, value, accounts) => {
    const words = splitWords(value)
    if (!words) throw new DirectiveProblem('failed to parse su option value')
    const [user, group, ...more] = words
    if (user === undefined) throw new DirectiveProblem('no user for su')
    if (group === undefined) throw new DirectiveProblem('no group for su')
    if (more.length > 0) throw new DirectiveProblem('extra arguments for su')
    settings.su = { uid: userId(user, accounts), gid: groupId(group, accounts) }
  },
}

/** Directives whose value may be left out. */
export const OPTIONAL: Record<string, Valued> = {
  weekly: (settings, value) => {
    const weekday = value === '' ? 0 : wholeNumber(value)
    if (weekday === undefined || weekday > 7) throw new DirectiveProblem(`bad weekly directive '${value}'`)
    settings.criterion = { kind: 'weekly', weekday } satisfies Criterion
  },
  create: (settings, value, accounts) => {
    settings.create = ownership('create', value, accounts)
  },
  createolddir: (settings, value, accounts) => {
    settings.createOldDirectory = { mode: 0o755, ...ownership('createolddir', value, accounts) }
  },
  compressoptions: (settings, value) => {
    const words = splitWords(value)
    if (!words) throw new DirectiveProblem('invalid compression options')
    settings.compressOptions = words
  },
}

const COMPRESS_EXTENSIONS: Record<string, string> = {
  gzip: '.gz',
  bzip2: '.bz2',
  xz: '.xz',
  zstd: '.zst',
  zip: '.zip',
  compress: '.Z',
  lzip: '.lz',
  '7z': '.7z',
  '7za': '.7z',
}

const baseOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)

function number(key: 'start' | 'minAgeDays' | 'maxAgeDays' | 'shredCycles', complaint: string): Valued {
  return (settings, value) => {
    const count = wholeNumber(value)
    if (count === undefined) throw new DirectiveProblem(`${complaint} '${value}'`)
    settings[key] = count
  }
}

function text(
  key: 'dateFormat' | 'extension' | 'addExtension' | 'uncompressCommand' | 'compressExtension',
): Valued {
  return (settings, value) => {
    settings[key] = oneWord(value)
  }
}

/** As strtoul reads it with base 0: decimal, octal or hexadecimal. */
function wholeNumber(text: string): number | undefined {
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text, 16)
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8)
  return /^[1-9][0-9]*$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined
}

function size(value: string): number {
  const match = /^([0-9]+)(.?)(.*)$/.exec(value)
  if (!match) throw new DirectiveProblem(`bad size '${value}'`)
  const [, digits = '', unit = '', rest = ''] = match
  const factor = { '': 1, k: 1024, K: 1024, M: 1_048_576, G: 1_073_741_824 }[rest === '' ? unit : '?']
  if (factor === undefined) throw new DirectiveProblem(`unknown unit '${rest.at(-1) ?? unit}'`)
  return Number(digits) * factor
}

/** A value that is one word, with or without quotes. */
function oneWord(value: string): string {
  return /^["']/.test(value) ? (splitWords(value)?.[0] ?? value) : value
}

function expandHome(path: string, accounts: AccountNumbers): string {
  return path.startsWith('~/') ? accounts.home() + path.slice(1) : path
}

function ownership(directive: string, value: string, accounts: AccountNumbers): Ownership {
  const words = splitWords(value)
  if (!words) throw new DirectiveProblem(`failed to parse ${directive} option value`)
  const mode = /^[0-7]{3,4}$/.test(words[0] ?? '') ? Number.parseInt(words.shift() ?? '', 8) : undefined
  const [user, group, ...more] = words
  if (more.length > 0) throw new DirectiveProblem(`extra arguments for ${directive}`)
  return {
    ...(mode !== undefined && { mode }),
    ...(user !== undefined && { uid: userId(user, accounts) }),
    ...(group !== undefined && { gid: groupId(group, accounts) }),
  }
}

function userId(name: string, accounts: AccountNumbers): number {
  const id = accounts.userId(name) ?? numericId(name)
  if (id === undefined) throw new DirectiveProblem(`unknown user '${name}'`)
  return id
}

function groupId(name: string, accounts: AccountNumbers): number {
  const id = accounts.groupId(name) ?? numericId(name)
  if (id === undefined) throw new DirectiveProblem(`unknown group '${name}'`)
  return id
}

const numericId = (name: string) =>
  /^[0-9]{1,10}$/.test(name) && Number(name) < 0xffff_ffff ? Number(name) : undefined
