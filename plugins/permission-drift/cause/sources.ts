import { globBase, isWithin, type Permissions } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { RPM_PROGRAM, RPM_QUERY } from './rpm/query.ts'
import { TMPFILES_DIRECTORIES } from './tmpfiles.ts'

const DPKG = ['/var/lib/dpkg', '/var/log/dpkg.log', '/var/log/dpkg.log.1']
const RPM = ['/var/lib/rpm', '/usr/lib/sysimage/rpm', '/usr/lib/rpm', '/etc/rpm']
export const TRUSTED_CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

/** Where the evidence of causes is. Pure. */
export function evidencePaths({ trees, explain }: Config): string[] {
  if (trees.length === 0) return []
  return [
    ...(explain.packages.includes('dpkg') ? DPKG : []),
    ...(explain.packages.includes('rpm') ? RPM : []),
    ...(explain.tmpfiles ? TMPFILES_DIRECTORIES : []),
    ...(certificatePatterns({ trees, explain }).length > 0 ? [TRUSTED_CERTIFICATES] : []),
  ]
}

/** Patterns of certificates that lie within a tree: elsewhere nothing is compared. */
export function certificatePatterns({ trees, explain }: Pick<Config, 'trees' | 'explain'>): string[] {
  return explain.certificates.filter((pattern) => trees.some(({ path }) => isWithin(path, globBase(pattern))))
}

/** Whether contents of changed files are compared with what a cause says of them. */
export function readsForCauses({ explain }: Pick<Config, 'explain'>): boolean {
  return explain.packages.length > 0 || explain.certificates.length > 0
}

export function causePrograms({ trees, explain }: Config): NonNullable<Permissions['run']> {
  return trees.length > 0 && explain.packages.includes('rpm') ? [[RPM_PROGRAM, ...RPM_QUERY]] : []
}
