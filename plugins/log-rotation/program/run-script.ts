import { spawnSync } from 'node:child_process'
import { asCaller } from './identity.ts'
import type { Output } from './output.ts'

/** Runs a script of the configuration by /bin/sh as the caller, whatever `su` says. False when it fails. */
export function runScript(script: string, args: string[], output: Output): boolean {
  output.debug(`running script with args ${args.join(' ')}: "${script}"`)
  if (output.captures) return runCaptured(script, args, output)
  const log = output.fileDescriptor
  const result = asCaller(() =>
    spawnSync('/bin/sh', ['-c', script, 'logrotate_script', ...args], {
      stdio: log === undefined ? 'inherit' : ['inherit', 'inherit', 'inherit', log],
    }),
  )
  return result.status === 0
}

const MAX_BYTES = 1_048_576

function runCaptured(script: string, args: string[], output: Output): boolean {
  const result = asCaller(() =>
    spawnSync('/bin/sh', ['-c', script, 'logrotate_script', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: MAX_BYTES,
    }),
  )
  const said = [result.error?.message, result.stderr?.toString().trim(), result.stdout?.toString().trim()]
  const text = said.filter(Boolean).join('\n')
  if (result.status !== 0 && text !== '') output.complaint(text)
  else if (text !== '') output.debug(text)
  return result.status === 0
}
