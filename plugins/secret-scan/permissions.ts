import { ANY_ARGUMENTS, expandBraces, globBase, isGlob, type Permissions } from '../../agent/contract/mod.ts'
import { JOURNAL_FILES, journalCommand } from './check-journal.ts'
import type { Config } from './config.ts'
import { GIT_PERMISSION } from './git/program.ts'

/** Pure: what a job with these settings reads. All of it is only looked at. */
export function permissionsOf(config: Config): { check: Omit<Permissions, 'write'> } {
  const patterns = [
    ...config.files,
    ...config.logs,
    ...config.units,
    ...config.scheduled,
    ...config.jobs,
    ...config.environmentFiles,
    ...config.required.flatMap(({ files, unit }) => (unit ? [...files, unit] : files)),
    ...config.histories,
    ...config.credentialFiles,
    ...config.personalData,
    ...config.repositories,
  ].flatMap(expandBraces)
  const read = outermost([
    ...patterns.map(readable),
    ...(config.processes ? ['/proc'] : []),
    ...(config.journal.length > 0 ? JOURNAL_FILES : []),
  ])
  const run: [string, ...string[]][] = [
    ...(config.repositories.length > 0 ? [[...GIT_PERMISSION, ANY_ARGUMENTS] as [string, ...string[]]] : []),
    ...config.journal.map(journalCommand),
  ]
  return {
    check: {
      // What may be read may be listed.
      list: unique(patterns.filter(isGlob).map(globBase)).filter((path) => !read.includes(path)),
      read,
      ...(run.length > 0 ? { run } : {}),
      ...(config.known.length > 0 ? { secrets: unique(config.known) } : {}),
      // Logs and histories of others.
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  }
}

/** All below the last directory before a "**", else what matches. */
function readable(pattern: string): string {
  const deep = pattern.indexOf('/**')
  return deep < 0 ? pattern : pattern.slice(0, deep) || '/'
}

function unique(items: string[]): string[] {
  return [...new Set(items)]
}

/** Without what lies below another one. */
function outermost(paths: string[]): string[] {
  const plain = unique(paths)
  return plain.filter((path) => !plain.some((other) => other !== path && path.startsWith(`${other}/`)))
}
