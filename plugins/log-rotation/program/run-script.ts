import { spawnSync } from 'node:child_process'
import { textOf } from './bytes.ts'
import { cleanEnvironment } from './environment.ts'
import { asCaller } from './identity.ts'
import type { Output } from './output.ts'
import { startable } from './run-program.ts'

const MAX_BYTES = 1_048_576

/** Runs a script of the configuration by /bin/sh as the caller, whatever `su` says. False when it fails. */
export function runScript(script: string, args: string[], dryRun: boolean, output: Output): boolean {
  if (dryRun) {
    output.debug(`running script with args ${args[0] ?? ''} ${args[1] ?? ''}: "${script}"`)
    return true
  }
  const [text = ''] = script.split('\0')
  const [file, words] = startable('/bin/sh', ['-c', text, 'logrotate_script', ...args])
  const env = cleanEnvironment(process.env)
  if (!output.captures) {
    return asCaller(() => spawnSync(file, words, { stdio: 'inherit', env }), output.debug).status === 0
  }
  const result = asCaller(() =>
    spawnSync(file, words, { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: MAX_BYTES, env }),
  )
  const said = [result.stderr, result.stdout].map((bytes) => textOf(bytes ?? new Uint8Array()).trim())
  const message = [result.error?.message, ...said].filter(Boolean).join('\n')
  if (result.status !== 0 && message !== '') output.error(message)
  else if (message !== '') output.debug(message)
  return result.status === 0
}
