import { dlopen, type Pointer, read, toArrayBuffer } from 'bun:ffi'
import { readFileSync } from 'node:fs'
import { C_LIBRARY } from '../../../agent/host/libc.ts'
import type { AccountNumbers } from '../logrotate/ownership.ts'
import { bytesOf, nameOf, textOf } from './bytes.ts'

const MAX_ID = 0x7fff_ffff

/** Accounts of the system: of its files, and else of what the name service knows, such as a directory server. */
export const accounts: AccountNumbers = {
  userId: (name) => byName('/etc/passwd', name)?.id ?? nameService().userId(name) ?? byNumber(name, 'user'),
  groupId: (name) => byName('/etc/group', name)?.id ?? nameService().groupId(name) ?? byNumber(name, 'group'),
  home: (user) => {
    if (user !== undefined) return byName('/etc/passwd', user)?.home ?? nameService().home(user)
    return process.env.HOME ?? homeOf(process.getuid?.() ?? 0)
  },
}

function rows(path: string): string[][] {
  return textOf(readFileSync(nameOf(path)))
    .split('\n')
    .map((line) => line.split(':'))
}

function byName(path: string, name: string): { id: number; home: string | undefined } | undefined {
  const row = rows(path).find(([first]) => first === name)
  return row?.[2] === undefined ? undefined : { id: Number(row[2]), home: row[5] }
}

function homeOf(uid: number): string | undefined {
  return rows('/etc/passwd').find((row) => row[2] === String(uid))?.[5]
}

/** A number stands for an account that there is. */
function byNumber(text: string, kind: 'user' | 'group'): number | undefined {
  if (!/^[ \t]*\+?[0-9]+$/.test(text) || Number(text) >= MAX_ID) return undefined
  const id = Number(text)
  const path = kind === 'user' ? '/etc/passwd' : '/etc/group'
  const isKnown = rows(path).some((row) => row[2] === String(id)) || nameService().knows(id, kind)
  return isKnown ? id : undefined
}

interface NameService {
  userId(name: string): number | undefined
  groupId(name: string): number | undefined
  home(name: string): string | undefined
  knows(id: number, kind: 'user' | 'group'): boolean
}

// struct passwd and struct group of 64-bit Linux: name, password, then the number; the home is the sixth field.
const [ID_OFFSET, HOME_OFFSET] = [16, 32]
const MAX_HOME_BYTES = 4096

let loaded: NameService | undefined

/** The C library knows where accounts come from (nsswitch.conf). Loaded only for names that the files lack. */
function nameService(): NameService {
  loaded ??= loadNameService()
  return loaded
}

function loadNameService(): NameService {
  const { symbols } = dlopen(C_LIBRARY, {
    getpwnam: { args: ['ptr'], returns: 'ptr' },
    getgrnam: { args: ['ptr'], returns: 'ptr' },
    getpwuid: { args: ['u32'], returns: 'ptr' },
    getgrgid: { args: ['u32'], returns: 'ptr' },
  })
  const ended = (name: string) => Buffer.concat([bytesOf(name), Buffer.from([0])])
  const id = (entry: unknown) => (isEntry(entry) ? read.u32(entry, ID_OFFSET) : undefined)
  return {
    userId: (name) => id(symbols.getpwnam(ended(name))),
    groupId: (name) => id(symbols.getgrnam(ended(name))),
    home: (name) => {
      const entry = symbols.getpwnam(ended(name))
      const home = isEntry(entry) ? read.ptr(entry, HOME_OFFSET) : undefined
      return isEntry(home) ? textAt(home) : undefined
    },
    knows: (number, kind) => isEntry(kind === 'user' ? symbols.getpwuid(number) : symbols.getgrgid(number)),
  }
}

const isEntry = (address: unknown): address is Pointer => typeof address === 'number' && address !== 0

function textAt(address: Pointer): string {
  let length = 0
  while (length < MAX_HOME_BYTES && read.u8(address, length) !== 0) length++
  return textOf(new Uint8Array(toArrayBuffer(address, 0, length)).slice())
}
