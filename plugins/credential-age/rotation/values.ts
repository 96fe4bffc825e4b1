import type { HostWriter } from '../../../agent/contract/mod.ts'
import { parseEnvFile } from '../parse/parse-env-file.ts'
import { tokenLines } from './edit-tokens.ts'
import { nextOf, previousOf, readOwn } from './files.ts'
import type { Rotatable } from './rotatable.ts'

/**
 * Finds a value again by its keyed fingerprint, in the places where it lies by right: the file, its clients, and
 * what lies beside them during a rotation. So no value is written anywhere else, and a rotation survives a crash.
 */
export function findValue(
  host: HostWriter,
  rotatable: Rotatable,
  fingerprint: (value: string) => string,
  wanted: string | undefined,
): string | undefined {
  if (wanted === undefined) return undefined
  return valuesOf(host, rotatable).find((value) => fingerprint(value) === wanted)
}

function valuesOf(host: HostWriter, { declaration, rotation, path }: Rotatable): string[] {
  const generations = (file: string) => [file, nextOf(file), previousOf(file)]
  const texts = (file: string) =>
    generations(file).flatMap((one) => (host.stat(one)?.type === 'file' ? [readOwn(host, one)] : []))
  const own = texts(path).flatMap((text) =>
    declaration.kind === 'env-file'
      ? variableOf(text, rotation.entry)
      : tokenLines(text).map((line) => line.text),
  )
  const clients = rotation.deliver.flatMap(({ path: client, key }) =>
    texts(client).flatMap((text) => textValues(text, key)),
  )
  return [...own, ...clients]
}

/** What a client reads of its file: a variable, or all of it. */
export function textValues(text: string, key: string | undefined): string[] {
  return key === undefined ? [text.trim(), ...variableOf(text, key)] : variableOf(text, key)
}

function variableOf(text: string, key: string | undefined): string[] {
  const { members } = parseEnvFile(Buffer.from(text), key === undefined ? undefined : [key])
  return members.flatMap(({ value }) => (value ? [value] : []))
}
