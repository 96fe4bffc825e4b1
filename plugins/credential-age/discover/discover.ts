import {
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
  globBase,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { PasswordProtected } from '../credential.ts'
import { declarationSchema, type FileDeclaration } from '../declaration.ts'
import { parseFile } from '../parse/parse-file.ts'
import { isFileDeclaration } from '../places.ts'
import { readCredentialFile } from '../read-file.ts'
import { readUnits } from '../use/units.ts'
import { CANDIDATES, type Proposal, TLS_PORTS } from './candidates.ts'
import { findEndpoints } from './find-endpoints.ts'

const UNITS = [
  '/etc/systemd/system/*.service',
  '/etc/systemd/system/*.service.d/*.conf',
  '/usr/lib/systemd/system/*.service',
]
const MAX_PROPOSALS = 450

/** `reeve credentials discover` */
export const discoverCommand: Command<Config> = {
  summary: 'Look for credentials on this host and propose how to declare them; nothing is changed',
  usage: '[--job NAME]',
  options: {},
  job: 'optional',
  permissions: () => ({
    // Units may name any file, so all of /etc is looked at; and the homes.
    read: ['/etc', ...CANDIDATES.map(({ pattern }) => pattern), ...UNITS],
    list: [
      ...new Set([
        ...CANDIDATES.map(({ pattern }) => globBase(pattern)),
        '/root',
        '/home',
        '/usr/lib/systemd/system',
      ]),
    ],
    net: TLS_PORTS.map(({ port }) => `127.0.0.1:${port}`),
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }),
  async run(ctx): Promise<CommandResult> {
    const { proposals, notes } = await discover(ctx)
    const { stringify } = await import('yaml')
    const text = [
      ...notes.map((note) => `# ${note}`),
      ...(proposals.length === 0
        ? ['# Nothing was found that is not declared already.']
        : [
            `# For jobs.NAME.config of a job of the plugin credential-age:`,
            stringify({ credentials: proposals }, { lineWidth: 0 }).trimEnd(),
          ]),
    ]
    return { exitCode: 0, text: text.join('\n'), json: JSON.parse(JSON.stringify({ proposals, notes })) }
  },
}

type Context = Pick<CommandContext<Config>, 'config' | 'host' | 'now' | 'signal'>

async function discover(ctx: Context): Promise<{ proposals: Proposal[]; notes: string[] }> {
  const declared = new Set(ctx.config?.credentials.filter(isFileDeclaration).map(({ path }) => path))
  const covered = coveredBy(ctx, declared)
  const proposals: Proposal[] = []
  const notes: string[] = []
  const seen = new Set<string>()
  const blind = (path: string, reason: string) => notes.push(`not looked at: ${path}: ${reason}`)
  const consider = async (path: string, proposal: Proposal, isWanted = false) => {
    if (seen.has(path) || covered.has(path)) return
    seen.add(path)
    const declaration = declarationSchema.parse(proposal)
    if (!isFileDeclaration(declaration)) return
    const found = await holdsCredentials(ctx, declaration, path, isWanted ? blind : () => {})
    if (found && proposals.length < MAX_PROPOSALS) proposals.push(proposal)
  }
  for (const { unit, path, directive } of readUnits(ctx.host, UNITS, { blind: [] })) {
    const service = { service: unit }
    if (directive === 'EnvironmentFile') await consider(path, { kind: 'env-file', path, ...service })
    if (directive.startsWith('LoadCredential'))
      await consider(path, { kind: 'token-file', path, ...service }, true)
  }
  for (const { pattern, declare } of CANDIDATES) {
    for (const { path, type } of ctx.host.glob(pattern, blind)) {
      ctx.signal.throwIfAborted()
      if (type === 'file' || type === 'symlink') await consider(path, declare(path))
    }
  }
  const endpoints = await findEndpoints(ctx.host, ctx.signal)
  const isKnown = (port: number) =>
    ctx.config?.credentials.some((one) => one.kind === 'tls-endpoint' && one.port === port)
  proposals.push(...endpoints.proposals.filter((one) => one.kind !== 'tls-endpoint' || !isKnown(one.port)))
  if (!ctx.config?.credentials.some(({ kind }) => kind === 'reeve')) proposals.push({ kind: 'reeve' })
  return { proposals, notes: [...notes, ...endpoints.notes] }
}

/** Files that the declarations of the job stand for already. */
function coveredBy({ host }: Context, declared: Set<string>): Set<string> {
  return new Set([...declared].flatMap((path) => host.glob(path, () => {}).map((entry) => entry.path)))
}

async function holdsCredentials(
  ctx: Context,
  declaration: FileDeclaration,
  path: string,
  blind: (path: string, reason: string) => void,
): Promise<boolean> {
  try {
    const { bytes } = readCredentialFile(ctx.host, path)
    const noPassword = () => {
      throw new PasswordProtected('it is protected by a password')
    }
    const { members } = await parseFile({ ...ctx, secret: noPassword }, declaration, path, bytes)
    return members.some(
      ({ value, identity, openToAll }) => Boolean(value) || identity !== undefined || openToAll,
    )
  } catch (error) {
    // What opens with a password only is one all the same.
    if (error instanceof PasswordProtected) return true
    blind(path, error instanceof Error && error.name === 'Unreadable' ? error.message : describeError(error))
    return false
  }
}
