import type { Cause } from '../../change.ts'
import type { Invocation, Work } from './log.ts'

const VERBS: [action: string, verb: string][] = [
  ['purge', 'purged'],
  ['remove', 'removed'],
  ['upgrade', 'upgraded'],
  ['install', 'installed'],
  ['configure', 'configured'],
  ['trigproc', 'triggered'],
]

/** What a package, or its own scripts, did. */
export function byPackage(name: string, version: string, work?: Work): Cause {
  if (!work) return { kind: 'package', detail: `dpkg: ${name} ${version}` }
  const verb = VERBS.find(([action]) => work.actions.has(action))?.[1] ?? 'processed'
  return { kind: 'package', detail: `dpkg: ${name} ${work.version || version} ${verb} ${work.at}` }
}

/** What was made beside the packages while they were worked on. */
export function byInvocation(what: string, { work }: Invocation): Cause {
  const names = [...work.keys()]
  const at = work.get(names[0] ?? '')?.at ?? ''
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  return { kind: 'package', detail: `dpkg: ${what}, with ${names.slice(0, 3).join(', ')}${more} ${at}` }
}

export const WORKING_FILE: Cause = { kind: 'package', detail: 'dpkg: a working file of the package manager' }
