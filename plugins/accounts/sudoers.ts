/** One command that a user, a group or an alias may run by sudo. */
export interface SudoRule {
  /** Users and %groups, aliases resolved; "!x" for one that is left out. */
  users: string[]
  /** "ALL" or a path, with arguments; aliases resolved; "!x" for one that is left out. */
  command: string
  /** No password is asked for. */
  isFree: boolean
  path: string
  line: number
}

export interface Sudoers {
  rules: SudoRule[]
  /** `Defaults !authenticate`, with whom it is for ("" is everybody). */
  free: { users: string; path: string; line: number }[]
  /** Lines that are not understood. */
  malformed: { path: string; line: number }[]
}

const MAX_DEPTH = 16
const ALIAS = /^(User|Runas|Host|Cmnd|Cmd)_Alias\s+(.*)$/
const TAG =
  /^(NOPASSWD|PASSWD|EXEC|NOEXEC|SETENV|NOSETENV|LOG_INPUT|NOLOG_INPUT|LOG_OUTPUT|NOLOG_OUTPUT|FOLLOW|NOFOLLOW|MAIL|NOMAIL|INTERCEPT|NOINTERCEPT):\s*/
const OPTION = /^(ROLE|TYPE|PRIVS|LIMITPRIVS|NOTBEFORE|NOTAFTER|TIMEOUT|CWD|CHROOT|APPARMOR_PROFILE)=\S+\s+/

/**
 * Pure: sudoers(5). `include` gives the files of an @include or @includedir, in order; a line that ends in a backslash
 * goes on in the next one.
 */
export function parseSudoers(
  path: string,
  text: string,
  include: (path: string, isDirectory: boolean) => { path: string; text: string }[],
): Sudoers {
  const result: Sudoers = { rules: [], free: [], malformed: [] }
  const aliases = { User: new Map<string, string[]>(), Cmnd: new Map<string, string[]>() }
  const raw: {
    users: string[]
    commands: { command: string; isFree: boolean }[]
    path: string
    line: number
  }[] = []
  const read = (file: string, content: string, depth: number) => {
    for (const { line, text: statement } of statements(content)) {
      const [, isDirectory, target] = /^[#@]include(dir)?\s+(.+)$/.exec(statement) ?? []
      if (target !== undefined) {
        if (depth >= MAX_DEPTH) result.malformed.push({ path: file, line })
        else
          for (const found of include(unquoted(target), isDirectory !== undefined))
            read(found.path, found.text, depth + 1)
        continue
      }
      // "#1000" is a user by number; any other "#" begins a comment.
      if (/^#(?!-?\d)/.test(statement)) continue
      if (/^Defaults\b/.test(statement)) {
        const [, users = ''] = /^Defaults(?:[:@>!](\S+))?\s/.exec(statement) ?? []
        if (/(^|[\s,])!authenticate\b/.test(statement)) result.free.push({ users, path: file, line })
        continue
      }
      const [, kind, definitions] = ALIAS.exec(statement) ?? []
      if (kind !== undefined && definitions !== undefined) {
        const table = kind === 'User' ? aliases.User : kind.startsWith('Cm') ? aliases.Cmnd : undefined
        for (const definition of splitAt(definitions, ':')) {
          const [name = '', members = ''] = splitOnce(definition, '=')
          table?.set(name.trim(), splitAt(members, ','))
        }
        continue
      }
      const entry = parseRule(statement)
      if (entry) raw.push({ ...entry, path: file, line })
      else result.malformed.push({ path: file, line })
    }
  }
  read(path, text, 0)
  for (const { users, commands, path: file, line } of raw) {
    const resolved = users.flatMap((user) => resolve(user, aliases.User))
    for (const { command, isFree } of commands) {
      for (const one of resolve(command, aliases.Cmnd)) {
        result.rules.push({ users: resolved, command: one, isFree, path: file, line })
      }
    }
  }
  return result
}

function parseRule(
  statement: string,
): { users: string[]; commands: { command: string; isFree: boolean }[] } | undefined {
  const [head, rest] = splitOnce(statement, '=')
  if (rest === undefined) return undefined
  const [, userList, hosts] = /^(\S.*?)\s+(\S+(?:\s*,\s*\S+)*)$/.exec(head.trim()) ?? []
  if (userList === undefined || hosts === undefined) return undefined
  const commands: { command: string; isFree: boolean }[] = []
  // Further hosts with commands of their own stand behind a colon.
  for (const part of splitAt(rest, ':', TAG)) {
    let isFree = false
    const own = commands.length === 0 ? part : part.slice(part.indexOf('=') + 1)
    for (const item of splitAt(own, ',')) {
      let command = item.replace(/^\([^)]*\)\s*/, '')
      for (;;) {
        const tag = TAG.exec(command)
        const option = OPTION.exec(command)
        if (tag?.[1] === 'NOPASSWD') isFree = true
        if (tag?.[1] === 'PASSWD') isFree = false
        const prefix = tag ?? option
        if (!prefix) break
        command = command.slice(prefix[0].length).replace(/^\([^)]*\)\s*/, '')
      }
      if (command !== '') commands.push({ command, isFree })
    }
  }
  return commands.length === 0 ? undefined : { users: splitAt(userList, ','), commands }
}

/** Lines put together; empty ones are left out. */
function* statements(text: string): Generator<{ line: number; text: string }> {
  let rest = ''
  let first = 0
  for (const [index, line] of text.split('\n').entries()) {
    if (rest === '') first = index + 1
    if (/(^|[^\\])(\\\\)*\\$/.test(line)) {
      rest += `${line.slice(0, -1)} `
      continue
    }
    const statement = withoutComment(rest + line).trim()
    rest = ''
    if (statement !== '') yield { line: first, text: statement }
  }
  if (rest.trim() !== '') yield { line: first, text: rest.trim() }
}

function withoutComment(line: string): string {
  if (/^\s*[#@]include/.test(line)) return line
  return line.replace(/(^|[^\\\w"])#(?!-?\d)(?=([^"]*"[^"]*")*[^"]*$).*$/, '$1')
}

/** At a character that is neither escaped nor in quotes or parentheses; not where `except` ends with it. */
function splitAt(text: string, separator: string, except?: RegExp): string[] {
  const parts: string[] = []
  let part = ''
  let quoted = false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (character === '\\') {
      part += character + (text[++at] ?? '')
      continue
    }
    if (character === '"') quoted = !quoted
    if (character === '(' && !quoted) depth++
    if (character === ')' && !quoted) depth--
    const isTag = except?.test(`${/[A-Z_]+$/.exec(part)?.[0] ?? ''}:`) ?? false
    if (character === separator && !quoted && depth <= 0 && !isTag) {
      parts.push(part.trim())
      part = ''
    } else part += character
  }
  parts.push(part.trim())
  return parts.filter((one) => one !== '')
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}

function unquoted(text: string): string {
  return text
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .replaceAll('\\ ', ' ')
}

/** Members of an alias, and of those in it; anything else as it is. */
function resolve(name: string, aliases: ReadonlyMap<string, string[]>, depth = 0): string[] {
  const isNegated = name.startsWith('!')
  const members = depth < MAX_DEPTH ? aliases.get(name.replace(/^!\s*/, '')) : undefined
  if (!members) return [unquoted(name)]
  return members
    .flatMap((member) => resolve(member, aliases, depth + 1))
    .map((member) => (isNegated ? `!${member}` : member))
}
