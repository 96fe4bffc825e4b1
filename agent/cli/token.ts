import { createHash } from 'node:crypto'
import { parseDuration } from '../lib/duration.ts'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { openStateDirectory } from '../state-directory.ts'
import { recordAudit } from '../store/audit.ts'
import { openStore, type Store } from '../store/open.ts'
import { SCOPES, type Scope } from '../store/schema.ts'
import { createToken, listTokens, revokeToken, rotateToken } from '../store/tokens.ts'
import { type CliCommand, EXIT, type Invocation, type OptionValues, textOption } from './command.ts'
import { actAsStateOwner, readHost, readStore } from './host.ts'
import { print, printError, printJson, table, time } from './print.ts'

const VERBS = ['new', 'list', 'rotate', 'revoke', 'hash']
const DEFAULT_OVERLAP = '24h'

export const token: CliCommand = {
  name: 'token',
  summary: 'API tokens: shown once when made, only their SHA-256 is kept',
  usage: 'new NAME | list | rotate NAME | revoke NAME | hash',
  json: true,
  options: {
    scope: {
      type: 'string',
      value: 'SCOPE',
      means:
        'read (default), operate or admin, each includes the ones before it; feed is for the URL of a calendar',
    },
    expires: { type: 'string', value: 'DURATION', means: 'Ends after this, such as 90d; default never' },
    overlap: {
      type: 'string',
      value: 'DURATION',
      means: `With rotate: the old one stays good so long; default ${DEFAULT_OVERLAP}`,
    },
  },
  async run(invocation) {
    const [verb = 'list', name] = invocation.positionals
    if (verb === 'hash') return hash()
    if (!VERBS.includes(verb)) {
      const near = nearest(verb, VERBS)
      throw new UserError(`There is no "reeve token ${verb}"${near ? `, did you mean "${near}"?` : ''}`)
    }
    if (verb === 'list') return list(invocation)
    if (!name) throw new UserError(`Which token? reeve token ${verb} NAME`)
    const host = await readHost(invocation)
    actAsStateOwner(host.stateDir)
    const store = openStore(openStateDirectory(host.stateDir).database)
    try {
      return change(store, verb, name, invocation)
    } finally {
      store.close()
    }
  },
}

function change(store: Store, verb: string, name: string, { values, json }: Invocation): number {
  const now = Date.now()
  const audit = (action: string) =>
    recordAudit(store, {
      at: now,
      actor: `cli:${process.getuid?.() ?? 0}`,
      remote: null,
      action,
      object: name,
      result: 'ok',
      detail: {},
    })
  const expires = durationOption(values, 'expires')
  const expiresAt = expires === undefined ? null : now + expires
  if (verb === 'revoke') {
    revokeToken(store, name, now)
    audit('token.revoke')
    print(`The token "${name}" is good for nothing any more.`)
    return EXIT.clean
  }
  const made =
    verb === 'new'
      ? createToken(store, { name, scope: scopeOption(values), expiresAt }, now)
      : rotateToken(
          store,
          name,
          {
            overlapMs: durationOption(values, 'overlap') ?? (parseDuration(DEFAULT_OVERLAP) as number),
            expiresAt,
          },
          now,
        )
  audit(`token.${verb}`)
  if (json) printJson({ name, scope: made.token.scope, token: made.secret })
  else {
    printError(
      `Token "${name}", scope ${made.token.scope}. It is shown once; keep it where only its user can read it:`,
    )
    print(made.secret)
  }
  return EXIT.clean
}

async function list(invocation: Invocation): Promise<number> {
  const store = readStore(await readHost(invocation))
  const rows = store ? listTokens(store, Date.now()) : []
  store?.close()
  if (invocation.json) printJson(rows)
  else {
    const cells = rows.map((row) => [
      row.name,
      row.scope,
      row.state,
      time(row.createdAt),
      time(row.expiresAt),
      time(row.lastUsedAt),
    ])
    print(table(['token', 'scope', 'state', 'created', 'expires', 'last used'], cells))
  }
  return EXIT.clean
}

/** SHA-256 of standard input without its last newline: never of an argument, which every user could see. */
async function hash(): Promise<number> {
  const text = (await Bun.stdin.text()).replace(/\r?\n$/, '')
  if (text === '') throw new UserError('Cannot hash a token: give it on standard input')
  print(createHash('sha256').update(text).digest('hex'))
  return EXIT.clean
}

function scopeOption(values: OptionValues): Scope {
  const name = textOption(values, 'scope') ?? 'read'
  const scope = SCOPES.find((candidate) => candidate === name)
  if (!scope) throw new UserError(`There is no scope "${name}"; known are ${SCOPES.join(', ')}`)
  return scope
}

function durationOption(values: OptionValues, name: string): number | undefined {
  const text = textOption(values, name)
  if (text === undefined) return undefined
  const duration = parseDuration(text)
  if (duration === undefined)
    throw new UserError(`Cannot read "--${name} ${text}": wanted a duration such as 90d or 12h`)
  return duration
}
