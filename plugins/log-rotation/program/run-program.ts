import { bytesOf, isUtf8 } from './bytes.ts'

/**
 * Program and arguments as the runtime can start them: it passes on UTF-8 only. Where an argument is other bytes, a
 * shell makes them of octal numbers and becomes the program.
 */
export function startable(
  file: string,
  args: string[],
  variables: Record<string, string> = {},
): [string, string[]] {
  const words = [file, ...args]
  const entries = Object.entries(variables)
  if ([...words, ...Object.values(variables)].every(isUtf8)) return [file, args]
  const exports = entries.map(([name, value]) => `${assign(name, value)}; export ${name}`)
  const assigned = words.map((word, index) => assign(`a${index}`, word))
  const command = `exec ${words.map((_, index) => `"$a${index}"`).join(' ')}`
  return ['/bin/sh', ['-c', [...exports, ...assigned, command].join('\n')]]
}

/** The letter behind keeps line ends that a substitution would drop. */
function assign(name: string, value: string): string {
  const octal = [...bytesOf(value)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
  return `${name}=$(printf '${octal}x'); ${name}=\${${name}%x}`
}

/** Those of the variables that the runtime can pass on by itself. */
export const passable = (variables: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).filter(([, value]) => isUtf8(value)))
