import { spawnSync } from 'node:child_process'
import { asCaller } from './identity.ts'
import type { Output } from './output.ts'

/** Runs a script of the configuration by /bin/sh as the caller, whatever `su` says. False when it fails. */
export function runScript(script: string, args: string[], output: Output): boolean {
  output.debug(`running script with args ${args.join(' ')}: "${script}"`)
  const log = output.fileDescriptor
  const result = asCaller(() =>
    spawnSync('/bin/sh', ['-c', script, 'logrotate_script', ...args], {
      stdio: log === undefined ? 'inherit' : ['inherit', 'inherit', 'inherit', log],
    }),
  )
  return result.status === 0
}
