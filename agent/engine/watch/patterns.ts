import { compileGlob, type GlobComponent } from '../../lib/glob.ts'

/** How far one alternative of one pattern has matched on the way down to a directory. */
interface Position {
  owner: string
  components: GlobComponent[]
  index: number
}

/** What the patterns want of a directory: its state, from which that of its entries follows. */
export type Wanted = readonly Position[]

/** Where the patterns of each owner begin: at the root directory. */
export function startOf(patterns: ReadonlyMap<string, readonly string[]>): Wanted {
  return [...patterns].flatMap(([owner, list]) =>
    list.flatMap(compileGlob).map((components): Position => ({ owner, components, index: 0 })),
  )
}

/** What is wanted of an entry in a directory: nothing is left when no pattern speaks of it or of what is below. */
export function step(wanted: Wanted, name: string): Wanted {
  return wanted.flatMap(({ owner, components, index }) => {
    const component = components[index]
    switch (component?.kind) {
      case 'name':
        return component.name === name ? [{ owner, components, index: index + 1 }] : []
      case 'match':
        return component.test.test(name) ? [{ owner, components, index: index + 1 }] : []
      case 'directories':
        // Here it ends, or goes on: what follows it may match at once, too.
        return [{ owner, components, index }, ...step([{ owner, components, index: index + 1 }], name)]
      default:
        return []
    }
  })
}

/** Whose patterns match the entry itself. */
export function ownersOf(wanted: Wanted): Set<string> {
  return new Set(wanted.filter(isMatch).map(({ owner }) => owner))
}

/** Whose patterns match the entry, or may match something below it. */
export function interestedIn(wanted: Wanted): Set<string> {
  return new Set(wanted.map(({ owner }) => owner))
}

/** A `**` at the end matches all below; the directory that it begins in counts here, too. */
function isMatch({ components, index }: Position): boolean {
  if (index === components.length) return true
  return index === components.length - 1 && components[index]?.kind === 'directories'
}

/** Names of entries of a directory that have to be looked at; undefined: any may match, it has to be listed. */
export function namesIn(wanted: Wanted): string[] | undefined {
  const names = new Set<string>()
  for (const { components, index } of wanted) {
    const component = components[index]
    if (component === undefined) continue
    if (component.kind !== 'name') return undefined
    names.add(component.name)
  }
  return [...names]
}

/** Without the positions of owners that leave the path out, and without those that have come to their end. */
export function below(wanted: Wanted, isExcluded: (owner: string) => boolean): Wanted {
  return wanted.filter(({ owner, components, index }) => index < components.length && !isExcluded(owner))
}
