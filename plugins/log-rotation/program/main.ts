import { describe } from './describe.ts'
import { HELP, type Options, parseOptions, USAGE } from './options.ts'
import { Output } from './output.ts'
import { readConfigurations } from './read-configuration.ts'
import { rotateSet } from './rotate-set.ts'
import { lockState, readState, writeState } from './state-file.ts'

const VERSION = `logrotate 3.22.0 (reeve)

    Default mail command:       /usr/bin/mail
    Default compress command:   /bin/gzip
    Default uncompress command: /bin/gunzip
    Default compress extension: .gz
    Default state file path:    /var/lib/logrotate/status
    ACL support:                yes
    SELinux support:            no
`

const EXIT = { clean: 0, failed: 1, usage: 2, locked: 3 } as const

/**
 * A replacement for the program `logrotate`, with its options, files and exit codes: 0 all is well, 1 something
 * went wrong, 2 bad option, 3 the state file is locked. It runs in the caller's process with the caller's
 * rights and runs the shell scripts of the configuration: unlike a job it is deliberately not jailed.
 */
export async function logrotate(args: string[], show?: (text: string) => void): Promise<number> {
  let options: Options
  try {
    options = parseOptions(args)
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`)
    return EXIT.usage
  }
  if (options.show) {
    process.stdout.write({ version: VERSION, help: HELP, usage: USAGE }[options.show])
    return EXIT.clean
  }
  if (options.skipLock && options.waitForLock) {
    process.stderr.write(
      'logrotate: options --skip-state-lock and --wait-for-state-lock are mutually exclusive\n',
    )
    return EXIT.failed
  }
  if (options.configurations.length === 0) {
    process.stderr.write(`${VERSION.split('\n')[0]}\n\n${USAGE}`)
    return EXIT.failed
  }
  const output = new Output(options.verbose || options.debug, show)
  try {
    return run(options, output)
  } catch (error) {
    output.error(describe(error))
    return EXIT.failed
  }
}

function run(options: Options, output: Output): number {
  if (options.log !== undefined) output.logTo(options.log)
  if (options.debug) {
    output.warning(
      'logrotate in debug mode does nothing except printing debug messages!  Consider using verbose mode (-v) instead if this is not what you want.\n',
    )
  }
  const sets = readConfigurations(options.configurations, output, options.debug)
  if (!options.skipLock && !options.debug) {
    if (lockState(options.state, options.waitForLock, output) === 'held-by-another') return EXIT.locked
  }
  const state = readState(options.state, output)
  output.debug(`\nHandling ${sets.length} logs`)
  const now = new Date()
  const how = { forced: options.force, dryRun: options.debug, mailCommand: options.mail, now }
  for (const set of sets) rotateSet(set, state, how, output)
  if (!options.debug)
    writeState(options.state, state, new Set(sets.flatMap(({ files }) => files)), now, output)
  return output.failed ? EXIT.failed : EXIT.clean
}
