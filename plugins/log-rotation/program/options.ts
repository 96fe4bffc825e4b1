export interface Options {
  debug: boolean
  verbose: boolean
  force: boolean
  mail: string
  state: string
  skipLock: boolean
  waitForLock: boolean
  log: string | undefined
  show: 'version' | 'help' | 'usage' | undefined
  configurations: string[]
}

/** Names of the options that take a value. */
const VALUES = { s: 'state', m: 'mail', l: 'log' } as const
const LONG_VALUES: readonly string[] = Object.values(VALUES)

/** The command line of logrotate: short options may be combined. Throws with the option that is none. */
export function parseOptions(args: string[]): Options {
  const options: Options = {
    debug: false,
    verbose: false,
    force: false,
    mail: '/usr/bin/mail',
    state: '/var/lib/logrotate/status',
    skipLock: false,
    waitForLock: false,
    log: undefined,
    show: undefined,
    configurations: [],
  }
  const rest = [...args]
  const value = (option: string) => {
    const next = rest.shift()
    if (next === undefined) throw new Error(`logrotate: bad argument ${option}: missing argument`)
    return next
  }
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') options.configurations.push(...rest.splice(0))
    else if (word.startsWith('--')) {
      const [name = '', ...parts] = word.slice(2).split('=')
      const isValued = LONG_VALUES.includes(name)
      if (parts.length > 0 && !isValued)
        throw new Error(`logrotate: bad argument ${word}: option does not take one`)
      setLong(options, name, () => (parts.length > 0 ? parts.join('=') : value(word)))
    } else if (word.startsWith('-') && word !== '-') {
      for (let index = 1; index < word.length; index++) {
        const letter = word[index] ?? ''
        const rest = word.slice(index + 1).replace(/^=/, '')
        if (letter === 's' || letter === 'm' || letter === 'l') {
          setLong(options, VALUES[letter], () => (rest === '' ? value(`-${letter}`) : rest))
          break
        }
        setLong(
          options,
          { d: 'debug', f: 'force', v: 'verbose', '?': 'help' }[letter] ?? `-${letter}`,
          () => '',
        )
      }
    } else options.configurations.push(word)
  }
  return options
}

function setLong(options: Options, name: string, value: () => string): void {
  if (name === 'debug') options.debug = true
  else if (name === 'force') options.force = true
  else if (name === 'verbose') options.verbose = true
  else if (name === 'skip-state-lock') options.skipLock = true
  else if (name === 'wait-for-state-lock') options.waitForLock = true
  else if (name === 'state') options.state = value()
  else if (name === 'mail') options.mail = value()
  else if (name === 'log') options.log = value()
  else if (name === 'version' || name === 'help' || name === 'usage') options.show = name
  else throw new Error(`logrotate: bad argument ${name.startsWith('-') ? name : `--${name}`}: unknown option`)
}

export const USAGE = `Usage: logrotate [-dfv?] [-d|--debug] [-f|--force] [-m|--mail=command]
        [-s|--state=statefile] [--skip-state-lock] [--wait-for-state-lock]
        [-v|--verbose] [-l|--log=logfile] [--version] [-?|--help] [--usage]
        [OPTION...] <configfile>
`

export const HELP = `Usage: logrotate [OPTION...] <configfile>
  -d, --debug                 Show what would be done; change nothing
  -f, --force                 Rotate whether it is due or not
  -m, --mail=command          Program that sends mail (/usr/bin/mail)
  -s, --state=statefile       State file (/var/lib/logrotate/status)
      --skip-state-lock       Take no lock on the state file
      --wait-for-state-lock   Wait for the lock on the state file
  -v, --verbose               Tell what is done
  -l, --log=logfile           Write what -v tells into a file
      --version               Show the version
  -?, --help                  Show this
      --usage                 Show the options only

This is reeve in place of logrotate. It runs as whoever calls it and runs the
scripts of the configuration, so unlike a job of reeve it is not jailed.
`
