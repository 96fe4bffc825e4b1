import type { Setting } from '../site.ts'
import type { Directive } from './parse.ts'

/** A block with those around it. */
export interface Context {
  /** For people: "nginx http", "nginx server example.org:443". */
  name: string
  directives: Directive[]
  parent: Context | undefined
}

/**
 * What is in force of a directive: all of the innermost block that has any, as nginx inherits. So one add_header in a
 * location drops all that the server has.
 */
export function inForce(context: Context, name: string): { found: Directive[]; owner: Context } | undefined {
  for (let at: Context | undefined = context; at; at = at.parent) {
    const found = at.directives.filter((directive) => directive.name === name && !directive.block)
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
  return directives.flatMap((directive) =>
    directive.name === name && directive.block ? [{ ...directive, block: directive.block }] : [],
  )
}
