import { type Member, type Parsed, Unreadable } from '../credential.ts'
import { decodeLines, decodeText, isPlainName } from '../text.ts'

export type LoginFormat = 'docker' | 'git' | 'netrc' | 'pgpass'

/** By the name of a file. */
export function loginFormat(path: string): LoginFormat {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name.endsWith('.json')) return 'docker'
  if (name.includes('netrc')) return 'netrc'
  return name.includes('pgpass') ? 'pgpass' : 'git'
}

/** Logins that a program keeps for its user; each is named by where it is for. */
export function parseLogins(bytes: Uint8Array, format: LoginFormat): Parsed {
  const parsed = FORMATS[format](bytes)
  return { ...parsed, members: unique(parsed.members), problems: parsed.problems.slice(0, 20) }
}

const FORMATS: Record<LoginFormat, (bytes: Uint8Array) => Parsed> = {
  docker: parseDocker,
  git: parseGitCredentials,
  netrc: parseNetrc,
  pgpass: parsePgpass,
}

/** ~/.docker/config.json: `auths` holds base64 of user:password, or a token; helpers keep them elsewhere. */
function parseDocker(bytes: Uint8Array): Parsed {
  const auths = fieldOf(parseJson(bytes), 'auths')
  const members: Member[] = []
  const problems: string[] = []
  const skipped: string[] = []
  for (const [registry, login] of Object.entries(auths ?? {})) {
    const id = hostOf(registry)
    const token =
      textOf(login, 'identitytoken') ?? textOf(login, 'registrytoken') ?? textOf(login, 'password')
    const basic = textOf(login, 'auth')
    if (token) members.push({ id, value: token, confidential: true })
    else if (basic) {
      const plain = Buffer.from(basic, 'base64').toString('utf8')
      const colon = plain.indexOf(':')
      if (colon < 0) problems.push('a login is not base64 of user:password')
      else members.push({ id, value: plain.slice(colon + 1), confidential: true })
    } else skipped.push(id)
  }
  return { members, problems, skipped }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(bytes))
  } catch {
    throw new Unreadable('it is no JSON that can be read')
  }
}

function fieldOf(node: unknown, name: string): object | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  const value: unknown = Reflect.get(node, name)
  return typeof value === 'object' && value !== null ? value : undefined
}

function textOf(node: unknown, name: string): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  const value: unknown = Reflect.get(node, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** git-credential-store(1): a URL with user and password a line. */
function parseGitCredentials(bytes: Uint8Array): Parsed {
  const members: Member[] = []
  const problems: string[] = []
  for (const [index, line] of decodeLines(bytes).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, userinfo, host] = /^[a-z][a-z0-9+.-]*:\/\/([^\s/]*)@([^\s/@]+)/i.exec(line) ?? []
    const colon = userinfo?.indexOf(':') ?? -1
    if (userinfo === undefined || host === undefined || colon < 0) {
      problems.push(`line ${index + 1}: wanted a URL with user and password`)
      continue
    }
    members.push({
      id: hostOf(host),
      value: decoded(userinfo.slice(colon + 1)),
      confidential: true,
      line: index + 1,
    })
  }
  return { members, problems }
}

/** netrc(5): words machine, login, password; a macro ends the file's logins. */
function parseNetrc(bytes: Uint8Array): Parsed {
  const members: Member[] = []
  let machine = ''
  const words = decodeLines(bytes)
    .map((line) => line.replace(/^\s*#.*/, ''))
    .join('\n')
    .split(/\bmacdef\b/)[0]
    ?.split(/\s+/)
  for (let at = 0; words && at < words.length; at++) {
    if (words[at] === 'machine') machine = words[++at] ?? ''
    else if (words[at] === 'default') machine = 'default'
    else if (words[at] === 'login' || words[at] === 'account') at++
    else if (words[at] === 'password') {
      members.push({ id: hostOf(machine), value: words[++at] ?? '', confidential: true })
    }
  }
  return { members, problems: [] }
}

/** The PostgreSQL password file: host:port:database:user:password, with "\" before ":" and "\". */
function parsePgpass(bytes: Uint8Array): Parsed {
  const members: Member[] = []
  const problems: string[] = []
  for (const [index, line] of decodeLines(bytes).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const fields = line.match(/(?:\\.|[^:\\])+/g) ?? []
    const [host, port, database, user, password] = fields.map((field) => field.replace(/\\(.)/g, '$1'))
    if (password === undefined || fields.length !== 5) {
      problems.push(`line ${index + 1}: wanted host:port:database:user:password`)
    } else {
      const name = `${user}@${host}:${port}/${database}`
      members.push({
        id: isPlainName(name, 10) ? name : `line ${index + 1}`,
        value: password,
        confidential: true,
        line: index + 1,
      })
    }
  }
  return { members, problems }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Host and port of what may be a URL; never a user or password in it. */
function hostOf(text: string): string {
  const host = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/^.*@/, '')
  const bare = host.replace(/\/.*$/, '')
  return isPlainName(bare, 8) ? bare : 'unnamed'
}

/** Two logins for one host are told apart by their number. */
function unique(members: Member[]): Member[] {
  const seen = new Map<string, number>()
  return members.map((member) => {
    const id = member.id ?? ''
    const count = (seen.get(id) ?? 0) + 1
    seen.set(id, count)
    return count === 1 ? member : { ...member, id: `${id} (${count})` }
  })
}
