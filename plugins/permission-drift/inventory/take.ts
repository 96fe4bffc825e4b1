import {
  type CheckContext,
  describeError,
  type Entry,
  errnoOf,
  globMatcher,
  records,
  type ScanBatch,
} from '../../../agent/contract/mod.ts'
import { octal } from '../baseline/summary.ts'
import { UNIT_DIRECTORIES } from '../policy/service-user.ts'
import { programsOfCrontab, programsOfUnit } from './privileged-program.ts'
import { parseSearchPath } from './search-path.ts'
import { type Inventories, type Kind, SOURCES } from './settings.ts'
import { whoCanReplace } from './writable.ts'

/** What stands in an inventory. */
export interface Item {
  kind: Kind
  path: string
  /** What of it has to stay as it is: when this changes, it is another item. */
  state: string
}

export interface Taken {
  items: Item[]
  examined: number
  skipped: number
}

type Context = Pick<CheckContext<unknown>, 'host' | 'signal' | 'stateDir'> & {
  pause?: (() => Promise<void>) | undefined
}
type OnBlind = (path: string, reason: string) => void

/** More of one kind are counted, and told as blind. */
const MAX_ITEMS = 5000
const { WORD, TYPE_BITS, TYPE_MASK, decodeRecord, rawName } = records

/** Looks at the host for everything that the settings ask for. */
export async function takeInventories(
  context: Context,
  settings: Inventories,
  onBlind: OnBlind,
): Promise<Taken> {
  const list = new ItemList()
  const counts = await scanAll(context, settings, list, onBlind)
  if (settings.kinds.includes('writable-path')) takeSearchPaths(context, list, onBlind)
  if (settings.kinds.includes('writable-program')) takePrograms(context, list, onBlind)
  for (const [kind, count] of list.surplus)
    onBlind(`inventory ${kind}`, `${count} more than the ${MAX_ITEMS} that are kept`)
  return { items: list.items, ...counts }
}

class ItemList {
  readonly items: Item[] = []
  readonly surplus = new Map<Kind, number>()
  private readonly counts = new Map<Kind, number>()

  add(kind: Kind, path: string, state: string): void {
    const count = (this.counts.get(kind) ?? 0) + 1
    this.counts.set(kind, count)
    if (count > MAX_ITEMS) this.surplus.set(kind, count - MAX_ITEMS)
    else this.items.push({ kind, path, state })
  }
}

async function scanAll(context: Context, settings: Inventories, list: ItemList, onBlind: OnBlind) {
  const { host, signal, stateDir } = context
  const wants = new Set(settings.kinds)
  const counts = { examined: 0, skipped: 0 }
  if (!['set-id', 'capabilities', 'world-writable', 'no-owner'].some((kind) => wants.has(kind as Kind)))
    return counts
  const isExcluded = globMatcher(settings.exclude)
  const plain = settings.exclude.filter((path) => !/[*?[{]/.test(path))
  const onSkip = () => counts.skipped++
  const known = new Map<string, boolean>()
  const isKnown = (kind: 'user' | 'group', id: number) => {
    const key = `${kind} ${id}`
    const name = known.get(key) ?? (kind === 'user' ? host.userName(id) : host.groupName(id)) !== String(id)
    known.set(key, name)
    return name
  }
  for (const start of settings.paths) {
    const batches = host.scan(start, {
      oneFileSystem: settings.oneFileSystem,
      leaveOut: [stateDir, ...plain],
      ...(plain.length < settings.exclude.length && { exclude: isExcluded }),
      signal,
      onBlind,
      onSkip,
    })
    let directory = ''
    for await (const batch of batches) {
      counts.examined += batch.entries
      const programs: Entry[] = []
      for (let at = 0; at < batch.end; at += (batch.words[at] ?? 0) / 4) {
        if ((batch.words[at + WORD.mode] ?? 0) === 0) directory = rawName(batch, at)
        else judgeRecord(batch, at, directory, wants, isKnown, list, programs)
      }
      await takeCapabilities(context, programs, list, onBlind)
      await context.pause?.()
    }
  }
  return counts
}

function judgeRecord(
  batch: ScanBatch,
  at: number,
  directory: string,
  wants: ReadonlySet<Kind>,
  isKnown: (kind: 'user' | 'group', id: number) => boolean,
  list: ItemList,
  programs: Entry[],
): void {
  const mode = batch.words[at + WORD.mode] ?? 0
  const type = mode & TYPE_MASK
  const [uid, gid] = [batch.words[at + WORD.uid] ?? 0, batch.words[at + WORD.gid] ?? 0]
  const isFile = type === TYPE_BITS.file
  const isDirectory = type === TYPE_BITS.directory
  const isSetId = isFile && (mode & 0o6000) !== 0
  const isOpen = (isFile && (mode & 0o002) !== 0) || (isDirectory && (mode & 0o1002) === 0o002)
  const isProgram = isFile && (mode & 0o111) !== 0 && wants.has('capabilities')
  const isLost = !(isKnown('user', uid) && isKnown('group', gid))
  if (!isSetId && !isOpen && !isLost && !isProgram) return
  const entry = decodeRecord(batch, at, directory)
  const state = `${octal(entry.mode)} ${uid}:${gid}`
  if (isSetId && wants.has('set-id')) list.add('set-id', entry.path, state)
  if (isOpen && wants.has('world-writable')) list.add('world-writable', entry.path, state)
  if (isLost && wants.has('no-owner')) list.add('no-owner', entry.path, `${uid}:${gid}`)
  if (isProgram) programs.push(entry)
}

async function takeCapabilities(
  { host, signal }: Context,
  programs: Entry[],
  list: ItemList,
  onBlind: OnBlind,
) {
  if (programs.length === 0) return
  const found = await host.readDetails(
    programs.map((entry) => ({ ...entry, wanted: ['capabilities'] as const })),
    signal,
  )
  for (const [index, { path }] of programs.entries()) {
    const details = found[index]
    if (!(details instanceof Error)) {
      if (details?.capabilities) list.add('capabilities', path, details.capabilities)
    } else if (errnoOf(details) !== 'ENOENT') onBlind(path, describeError(details))
  }
}

function takeSearchPaths({ host }: Context, list: ItemList, onBlind: OnBlind): void {
  const homes = new Map([...host.homes()].map(([name, home]) => [home, name]))
  const directories = new Map<string, Set<number>>()
  for (const { path } of SOURCES.flatMap((pattern) => host.glob(pattern, onBlind))) {
    if (path.startsWith('/etc/cron.') || path.startsWith('/var/spool')) continue
    const home = path.slice(0, path.lastIndexOf('/'))
    const owner = host.userId(homes.get(home) ?? 'root') ?? 0
    for (const text of textsAt(host, path, onBlind)) {
      for (const directory of parseSearchPath(text, homes.has(home) ? home : '/root')) {
        // A place in the PATH of several is to be safe for each of them: only root is trusted then.
        const trusted = directories.get(directory)
        directories.set(directory, trusted && !trusted.has(owner) ? new Set([0]) : new Set([0, owner]))
      }
    }
  }
  for (const [directory, trusted] of directories) {
    const found = whoCanReplace(host, directory, trusted)
    if (found) list.add('writable-path', directory, `${found.who} can write ${found.path}`)
  }
}

function takePrograms({ host }: Context, list: ItemList, onBlind: OnBlind): void {
  const programs = new Set<string>()
  const add = (pattern: string, parse: (text: string) => string[]) => {
    for (const { path, type } of host.glob(pattern, onBlind)) {
      if (type === 'directory') continue
      for (const text of textsAt(host, path, onBlind))
        for (const program of parse(text)) programs.add(program)
    }
  }
  for (const directory of UNIT_DIRECTORIES) add(`${directory}/*.service`, programsOfUnit)
  for (const pattern of ['/etc/crontab', '/etc/cron.d/*'])
    add(pattern, (text) => programsOfCrontab(text, true))
  for (const pattern of ['/var/spool/cron/crontabs/root', '/var/spool/cron/root']) {
    add(pattern, (text) => programsOfCrontab(text, false))
  }
  for (const { path } of host.glob('/etc/cron.{hourly,daily,weekly,monthly}/*', onBlind)) programs.add(path)
  for (const program of [...programs].sort()) {
    const found = whoCanReplace(host, program, new Set([0]))
    if (found) list.add('writable-program', program, `${found.who} can write ${found.path}`)
  }
}

function textsAt(host: Context['host'], path: string, onBlind: OnBlind): string[] {
  try {
    return [host.readText(path, { follow: true })]
  } catch (error) {
    // A link to /dev/null is a unit that is masked.
    const isNothing = errnoOf(error) === 'ENOENT' || /it is a character-device/.test(describeError(error))
    if (!isNothing) onBlind(path, describeError(error))
    return []
  }
}
