/** A line of passwd(5), with that of shadow(5) where that could be read. */
export interface Account {
  name: string
  uid: number
  gid: number
  home: string
  shell: string
  /** The second field of passwd: "x" where the password stands in shadow. */
  passwordField: string
  line: number
}

export interface ShadowEntry {
  name: string
  /** Hash, or what locks the account; it goes no further than into `passwordState`. */
  password: string
  /** Days after which it must be changed; undefined: never. */
  maxDays: number | undefined
  line: number
}

export interface Group {
  name: string
  gid: number
  members: string[]
  line: number
}

export interface Table<T> {
  entries: T[]
  /** Lines that are none, by number from 1. */
  malformed: number[]
}

/** Pure: lines of fields between colons; `read` gives undefined for one that is none. */
function parseTable<T>(text: string, read: (fields: string[], line: number) => T | undefined): Table<T> {
  const table: Table<T> = { entries: [], malformed: [] }
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const entry = read(line.split(':'), index + 1)
    if (entry === undefined) table.malformed.push(index + 1)
    else table.entries.push(entry)
  }
  return table
}

const NUMBER = /^\d{1,10}$/

export function parsePasswd(text: string): Table<Account> {
  return parseTable(text, (fields, line) => {
    const [name = '', passwordField = '', uid = '', gid = '', , home = '', shell = ''] = fields
    if (fields.length !== 7 || name === '' || !NUMBER.test(uid) || !NUMBER.test(gid)) return undefined
    return { name, passwordField, uid: Number(uid), gid: Number(gid), home, shell, line }
  })
}

export function parseShadow(text: string): Table<ShadowEntry> {
  return parseTable(text, (fields, line) => {
    const [name = '', password = '', , , max = ''] = fields
    if (fields.length !== 9 || name === '') return undefined
    const maxDays = NUMBER.test(max) && Number(max) < 99_999 ? Number(max) : undefined
    return { name, password, maxDays, line }
  })
}

export function parseGroup(text: string): Table<Group> {
  return parseTable(text, (fields, line) => {
    const [name = '', , gid = '', members = ''] = fields
    if (fields.length !== 4 || name === '' || !NUMBER.test(gid)) return undefined
    return { name, gid: Number(gid), members: members.split(',').filter(Boolean), line }
  })
}

export type PasswordState =
  | { kind: 'none' }
  | { kind: 'locked' }
  | { kind: 'set'; scheme: string; isWeak: boolean }

/** crypt(5): by prefix. Those that are missing here are not weak. */
const WEAK_SCHEMES: [prefix: RegExp, name: string][] = [
  [/^\$1\$/, 'MD5'],
  [/^\$sha1\$/, 'SHA-1'],
  [/^\$md5[,$]/, 'Sun MD5'],
  [/^\$3\$/, 'NT'],
  [/^\$2x?\$/, 'a broken bcrypt'],
  [/^_[./0-9A-Za-z]{19}$/, 'BSDi DES'],
  [/^[./0-9A-Za-z]{13,24}$/, 'DES'],
]
const SCHEMES: Record<string, string> = {
  $y: 'yescrypt',
  $gy: 'gost-yescrypt',
  $7: 'scrypt',
  $6: 'SHA-512',
  $5: 'SHA-256',
  $2a: 'bcrypt',
  $2b: 'bcrypt',
  $2y: 'bcrypt',
}

/** Pure: what kind of password a field has; nothing of it is in the answer. */
export function passwordState(field: string): PasswordState {
  if (field === '') return { kind: 'none' }
  // "!" before a hash locks it; "*" and whatever else is no hash is never matched.
  if (/^[!*]/.test(field) || field === 'x') return { kind: 'locked' }
  const weak = WEAK_SCHEMES.find(([prefix]) => prefix.test(field))
  if (weak) return { kind: 'set', scheme: weak[1], isWeak: true }
  const scheme = SCHEMES[field.split('$', 2).join('$')]
  if (scheme !== undefined) return { kind: 'set', scheme, isWeak: false }
  return field.startsWith('$')
    ? { kind: 'set', scheme: 'an unknown scheme', isWeak: false }
    : { kind: 'locked' }
}

/** Whether somebody can get a prompt by it. Pure. */
export function isLoginShell(shell: string): boolean {
  return !/\/(nologin|false|sync|shutdown|halt|git-shell)$/.test(shell === '' ? '/bin/sh' : shell)
}
