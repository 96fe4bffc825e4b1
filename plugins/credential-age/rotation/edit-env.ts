import { UserError } from '../../../agent/contract/mod.ts'
import { parseEnvFile } from '../parse/parse-env-file.ts'

/**
 * The text of an env-file with another value for one variable, and nothing else changed. Throws UserError when it
 * cannot be sure of that. Pure.
 */
export function setVariable(text: string, key: string, value: string): string {
  const lines = text.split('\n')
  const pattern = new RegExp(`^\\s*(?:export\\s+)?${key}=`)
  // The last assignment of a name holds.
  const index = lines.findLastIndex((line) => pattern.test(line))
  const [before] = pattern.exec(lines[index] ?? '') ?? []
  if (before === undefined) throw new UserError(`Cannot set "${key}": the file has no such variable`)
  const changed = lines.with(index, `${before}${quoted(value)}`).join('\n')
  const wanted = variablesOf(text).set(key, value)
  const got = variablesOf(changed)
  const isSame = wanted.size === got.size && [...wanted].every(([name, text]) => got.get(name) === text)
  if (!isSame) throw new UserError(`Cannot set "${key}": its value goes over several lines`)
  return changed
}

/** As shells and systemd both read it. */
function quoted(value: string): string {
  if (/^[A-Za-z0-9._~+/=:@%-]+$/.test(value)) return value
  if (/['\n\r\0\\]/.test(value)) {
    throw new UserError('Cannot write the new value: it has a quote, a backslash or a line break in it')
  }
  return `'${value}'`
}

function variablesOf(text: string): Map<string, string> {
  const names = [...text.matchAll(/^\s*(?:export\s+)?([A-Za-z_]\w*)=/gm)].map((match) => match[1] ?? '')
  const { members } = parseEnvFile(Buffer.from(text), names)
  return new Map(members.map(({ id, value }) => [id ?? '', value ?? '']))
}
