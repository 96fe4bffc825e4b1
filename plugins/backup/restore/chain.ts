import { UserError } from '../../../agent/contract/mod.ts'
import { parseBackupName } from '../object-name.ts'

/** A backup as far as its place in a chain goes. `previous` is undefined where nothing but the name is known. */
export interface Link {
  name: string
  previous?: string | null | undefined
}

/**
 * Names of what has to be restored for a backup, the full one first. Where records tell, they do; else the names: all
 * of a chain begin alike and are numbered. Throws when one is missing.
 */
export function chainNames(name: string, known: readonly Link[]): string[] {
  const byName = new Map(known.map((link) => [link.name, link]))
  const chain = [name]
  for (let link = byName.get(name); link !== undefined; ) {
    const previous = link.previous === undefined ? previousByName(link.name, known) : link.previous
    if (previous === null) return chain
    if (chain.includes(previous)) throw new UserError(`Cannot restore "${name}": its chain runs in a circle`)
    chain.unshift(previous)
    link = byName.get(previous)
  }
  if (chain.length === 1) return chain // Not listed, so perhaps somebody's own name for it.
  throw new UserError(
    `Cannot restore "${name}": it builds upon "${chain[0]}", which is not there. An older backup may be whole`,
  )
}

/** The one before in the same chain; null for a full backup. Of two with one number, the later one that fits. */
function previousByName(name: string, known: readonly Link[]): string | null {
  const own = parseBackupName(name)
  if (!own || own.index === 0) return null
  const before = known
    .map((link) => ({ name: link.name, ...parseBackupName(link.name) }))
    .filter(
      ({ chain, index, createdAt }) =>
        chain === own.chain &&
        index === own.index - 1 &&
        createdAt !== undefined &&
        createdAt.getTime() <= own.createdAt.getTime(),
    )
    .sort((a, b) => (a.createdAt?.getTime() ?? 0) - (b.createdAt?.getTime() ?? 0))
    .at(-1)
  if (before) return before.name
  const number = own.index - 1
  throw new UserError(
    `Cannot restore "${name}": number ${number} of its chain ("${own.chain}-${number === 0 ? 'full' : `inc${String(number).padStart(3, '0')}`}…") is not there`,
  )
}
