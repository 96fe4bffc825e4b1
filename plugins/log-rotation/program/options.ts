export interface Options {
  debug: boolean
  verbose: boolean
  force: boolean
  mail: string
  state: string
  skipLock: boolean
  waitForLock: boolean
  log: string | undefined
  configurations: string[]
}

/** What is to be done at once while options are read, from left to right. */
export type Step = { kind: 'debug' } | { kind: 'verbose' } | { kind: 'log'; path: string }

/** What ends the reading before its end. */
export type End = { kind: 'version' | 'help' | 'usage' } | { kind: 'bad'; argument: string }

const SHORT: Record<string, string> = {
  d: 'debug',
  f: 'force',
  v: 'verbose',
  '?': 'help',
  m: 'mail',
  s: 'state',
  l: 'log',
}
const FLAGS = [
  'debug',
  'force',
  'verbose',
  'skip-state-lock',
  'wait-for-state-lock',
  'version',
  'help',
  'usage',
]
const VALUED = ['mail', 'state', 'log']

/**
 * The command line of logrotate, as popt reads it: short options may be combined and may have their value attached,
 * options and files may stand in any order, `--` ends the options.
 */
export function parseOptions(args: string[]): { options: Options; steps: Step[]; end?: End } {
  const options: Options = {
    debug: false,
    verbose: false,
    force: false,
    mail: '/usr/bin/mail',
    state: '/var/lib/logrotate/status',
    skipLock: false,
    waitForLock: false,
    log: undefined,
    configurations: [],
  }
  const steps: Step[] = []
  const rest = [...args]
  const read = (): End | undefined => {
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
      if (word === '--') options.configurations.push(...rest.splice(0))
      else if (word.startsWith('--')) {
        const equals = word.indexOf('=')
        const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
        const end = take(name, equals < 0 ? undefined : word.slice(equals + 1), word)
        if (end) return end
      } else if (word.startsWith('-') && word !== '-') {
        const end = takeShort(word)
        if (end) return end
      } else options.configurations.push(word)
    }
    return undefined
  }
  const takeShort = (word: string): End | undefined => {
    for (let index = 1; index < word.length; index++) {
      const name = SHORT[word[index] ?? ''] ?? ''
      const isValued = VALUED.includes(name)
      const attached =
        isValued && index + 1 < word.length ? word.slice(index + 1).replace(/^=/, '') : undefined
      const end = take(name, attached, word)
      if (end || isValued) return end
    }
    return undefined
  }
  const take = (name: string, attached: string | undefined, word: string): End | undefined => {
    const bad: End = { kind: 'bad', argument: word }
    if (FLAGS.includes(name)) {
      if (attached !== undefined) return bad
      if (name === 'version' || name === 'help' || name === 'usage') return { kind: name }
      setFlag(options, steps, name)
      return undefined
    }
    const value = VALUED.includes(name) ? (attached ?? rest.shift()) : undefined
    if (value === undefined) return bad
    if (name === 'mail') options.mail = value
    else if (name === 'state') options.state = value
    else {
      options.log = value
      steps.push({ kind: 'log', path: value })
    }
    return undefined
  }
  const end = read()
  return { options, steps, ...(end && { end }) }
}

function setFlag(options: Options, steps: Step[], name: string): void {
  if (name === 'force') options.force = true
  else if (name === 'skip-state-lock') options.skipLock = true
  else if (name === 'wait-for-state-lock') options.waitForLock = true
  else if (name === 'debug' || name === 'verbose') {
    options[name] = true
    steps.push({ kind: name })
  }
}

export const USAGE = `Usage: logrotate [-dfv?] [-d|--debug] [-f|--force] [-m|--mail=command]
        [-s|--state=statefile] [--skip-state-lock] [--wait-for-state-lock]
        [-v|--verbose] [-l|--log=logfile] [--version] [-?|--help] [--usage]
        [OPTION...] <configfile>
`

export const HELP = `Usage: logrotate [OPTION...] <configfile>
  -d, --debug                   Show what would be done; change nothing
  -f, --force                   Rotate whether it is due or not
  -m, --mail=command            Program that sends mail (instead of
                                \`/usr/bin/mail')
  -s, --state=statefile         Path of the state file
      --skip-state-lock         Take no lock on the state file
      --wait-for-state-lock     Wait for the lock on the state file
  -v, --verbose                 Tell what is done
  -l, --log=logfile             File for messages, or 'syslog'
      --version                 Show the version

Help options:
  -?, --help                    Show this help message
      --usage                   Show the options only

This is reeve in place of logrotate. It runs as whoever calls it and runs the
scripts of the configuration, so unlike a job of reeve it is not jailed.
`
