import type { Setting } from '../site.ts'
import type { Directive } from './parse.ts'

/** A block with those around it. */
export interface Context {
  /** For people: "nginx http", "nginx server example.org:443". */
  name: string
  directives: Directive[]
  parent: Context | undefined
}

/** A host with many sites has thousands of blocks, each asked for a dozen names. */
const indexes = new WeakMap<Directive[], Map<string, Directive[]>>()

/** The directives of a name in a block itself, in their order. */
export function namedIn(directives: Directive[], name: string): Directive[] {
  let index = indexes.get(directives)
  if (!index) {
    index = Map.groupBy(directives, (directive) => directive.name)
    indexes.set(directives, index)
  }
  return index.get(name) ?? []
}

/**
 * What is in force of a directive: all of the innermost block that has any, as nginx inherits. So one add_header in a
 * location drops all that the server has.
 */
export function inForce(context: Context, name: string): { found: Directive[]; owner: Context } | undefined {
  for (let at: Context | undefined = context; at; at = at.parent) {
    const found = namedIn(at.directives, name).filter((directive) => !directive.block)
    if (found.length > 0) return { found, owner: at }
  }
  return undefined
}

/** The one value in force of a directive that can be said once in a block. */
export function settingOf(context: Context, name: string): Setting | undefined {
  const { found, owner } = inForce(context, name) ?? {}
  const directive = found?.at(-1)
  return directive && owner ? toSetting(directive, owner) : undefined
}

export function toSetting({ words, path, line }: Directive, owner: Context): Setting {
  return { value: words.join(' '), words, place: { path, line }, owner: owner.name }
}

/** Blocks of a name, with their own directives. */
export function blocksOf(
  { directives }: Pick<Context, 'directives'>,
  name: string,
): (Directive & { block: Directive[] })[] {
  return namedIn(directives, name).flatMap((directive) =>
    directive.block ? [{ ...directive, block: directive.block }] : [],
  )
}
