import { readFileSync } from 'node:fs'
import { useClock } from '../logrotate/local-time.ts'
import { textOf } from './bytes.ts'
import { describe } from './describe.ts'
import { Journal } from './journal.ts'
import { HELP, type Options, parseOptions, type Step, USAGE } from './options.ts'
import { Output, writeAll } from './output.ts'
import { readConfigurations } from './read-configuration.ts'
import { recover } from './recover.ts'
import { rotateSet } from './rotate-set.ts'
import { lockState, readState, writeState } from './state-file.ts'
import { systemClock } from './system-clock.ts'

const VERSION = `logrotate 3.22.0

    Default mail command:       /usr/bin/mail
    Default compress command:   /bin/gzip
    Default uncompress command: /bin/gunzip
    Default compress extension: .gz
    Default state file path:    /var/lib/logrotate/status
    ACL support:                yes
    SELinux support:            yes

This is reeve in place of logrotate.
`

const EXIT = { clean: 0, failed: 1, usage: 2, locked: 3 } as const

/**
 * A replacement for the program `logrotate`, with its options, files and exit codes: 0 all is well, 1 something
 * went wrong, 2 bad option, 3 the state file is locked. It runs in the caller's process with the caller's
 * rights and runs the shell scripts of the configuration: unlike a job it is deliberately not jailed.
 */
export async function logrotate(args: string[], show?: (text: string) => void): Promise<number> {
  const { options, steps, end } = parseOptions(rawArguments(args))
  const output = new Output(false, show)
  for (const step of steps) await prepare(step, output)
  if (end?.kind === 'bad') {
    writeAll(2, `logrotate: bad argument ${end.argument}: unknown error\n`)
    return EXIT.usage
  }
  if (end) {
    writeAll(1, { version: VERSION, help: HELP, usage: USAGE }[end.kind])
    return EXIT.clean
  }
  if (options.configurations.length === 0) {
    const license = 'This is reeve in place of logrotate; see reeve --help\n\n'
    writeAll(2, `${VERSION.split('\n')[0]} - ${license}${USAGE}`)
    return EXIT.failed
  }
  if (options.skipLock && options.waitForLock) {
    writeAll(2, 'logrotate: options --skip-state-lock and --wait-for-state-lock are mutually exclusive\n')
    return EXIT.failed
  }
  try {
    return run(options, output)
  } catch (error) {
    output.error(describe(error))
    return EXIT.failed
  }
}

/** The runtime replaces bytes that are no UTF-8; the kernel still has them. */
function rawArguments(args: string[]): string[] {
  if (!args.some((word) => word.includes('\ufffd'))) return args
  const all = readFileSync('/proc/self/cmdline')
  const words: string[] = []
  for (let from = 0; from < all.length; ) {
    const end = all.indexOf(0, from)
    words.push(textOf(all.subarray(from, end < 0 ? undefined : end)))
    from = end < 0 ? all.length : end + 1
  }
  return words.slice(words.length - args.length)
}

async function prepare(step: Step, output: Output): Promise<void> {
  if (step.kind === 'debug') {
    output.warning(
      'logrotate in debug mode does nothing except printing debug messages!  Consider using verbose mode (-v) instead if this is not what you want.\n',
    )
  }
  if (step.kind !== 'log') output.verbose = true
  else if (step.path === 'syslog') output.logTo((await import('./syslog.ts')).openSyslog())
  else {
    try {
      output.logToFile(step.path)
    } catch (error) {
      output.error(`error opening log file ${step.path}: ${describe(error)}`)
    }
  }
}

function run(options: Options, output: Output): number {
  useClock(systemClock())
  const { configurations, state: path, debug: dryRun, skipLock, waitForLock } = options
  const sets = readConfigurations(configurations, output, dryRun)
  const now = new Date(Math.floor(Date.now() / 1000) * 1000)
  if (!dryRun && !lockState(path, { skip: skipLock, wait: waitForLock }, output)) return EXIT.locked
  const { state, buckets, isWhole } = readState(path, dryRun, output)
  if (!isWhole) output.failed = true
  output.debug(`\nHandling ${sets.length} logs`)
  const seen = new Set<string>()
  const journal = dryRun ? undefined : Journal.open(path)
  /** False when the disk did not take it, and the next run has to. */
  const keepState = () => {
    const before = output.diskTroubles
    if (!writeState(path, { times: state, seen, buckets }, now, output)) output.failed = true
    return output.diskTroubles === before
  }
  const unfinished = journal ? recover(journal, state, options.mail, output) : new Set<string>()
  if (unfinished.size > 0) output.failed = true
  if (journal?.left && keepState()) journal.clear()
  const how = { forced: options.force, dryRun, mailCommand: options.mail, now, seen, journal, unfinished }
  for (const set of sets) if (!rotateSet(set, state, how, output)) output.failed = true
  if (!dryRun) {
    const isKept = keepState()
    journal?.close(isKept)
  }
  return output.failed ? EXIT.failed : EXIT.clean
}
