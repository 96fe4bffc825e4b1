import { type CommandArgs, secretReference, UserError } from '../../../agent/contract/mod.ts'

/** The text of an option; undefined when it was not given. */
export function textOption(args: CommandArgs, name: string): string | undefined {
  const value = args.values[name]
  return typeof value === 'string' ? value : undefined
}

/** A secret reference among the options. */
export function secretOption(args: CommandArgs, name: string): string | undefined {
  const value = textOption(args, name)
  if (value === undefined || secretReference.safeParse(value).success) return value
  throw new UserError(
    `Cannot use --${name}: wanted where the secret is (env:NAME, file:/path or credential:NAME), never the secret itself`,
  )
}
