import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { configPath, userConfigPath } from '../config/paths.ts'
import { describeError, errnoOf, UserError } from '../lib/errors.ts'
import { type CliCommand, EXIT, textOption } from './command.ts'
import { firstConfig, type Place } from './first-config.ts'
import { print } from './print.ts'

export const init: CliCommand = {
  name: 'init',
  summary: 'Write a first configuration; an existing one is never touched',
  usage: '[--user | --try DIR]',
  options: {
    user: { type: 'boolean', means: 'For this account only, under XDG_CONFIG_HOME' },
    try: { type: 'string', value: 'DIR', means: 'A trial in an empty directory: every job, on this host' },
  },
  async run({ config, values }) {
    const trial = textOption(values, 'try')
    if (trial) {
      const directory = resolve(trial)
      prepareTrial(directory)
      const path = join(directory, 'reeve.yaml')
      write(path, { kind: 'trial', directory, home: homedir() })
      appendFileSync(join(directory, 'log', 'reeve.log'), trialLog(path), { mode: 0o600 })
      print(path)
      return EXIT.clean
    }
    const path = values.user ? (config ?? userConfigPath(process.env)) : configPath(config, process.env)
    const kind = values.user || path === userConfigPath(process.env) ? 'user' : 'host'
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
    write(path, { kind, directory: dirname(path), home: homedir() })
    print(`Wrote ${path}. Look at it, then run "reeve config check" and "reeve run --all".`)
    return EXIT.clean
  },
}

/** What is put under version control beside the configuration is no secret, then. An existing file is left alone. */
const IGNORED = ['environment', '.env', '*.env', '*.key', '*.pem', '*.passphrase', '*credentials*']

function ignoreSecrets(directory: string, kind: Place['kind']): void {
  if (!isInWorkTree(directory)) return
  const lines = kind === 'trial' ? ['*'] : ['# reeve: what may hold a secret', ...IGNORED]
  try {
    writeFileSync(join(directory, '.gitignore'), `${lines.join('\n')}\n`, { mode: 0o644, flag: 'wx' })
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    print(
      `${directory} is in a work tree of git; see to it that its .gitignore has: ${lines.filter((line) => !line.startsWith('#')).join(' ')}`,
    )
  }
}

function isInWorkTree(directory: string): boolean {
  if (existsSync(join(directory, '.git'))) return true
  const parent = dirname(directory)
  return parent !== directory && isInWorkTree(parent)
}

function write(path: string, place: Place): void {
  try {
    writeFileSync(path, firstConfig(place), { mode: place.kind === 'host' ? 0o640 : 0o600, flag: 'wx' })
  } catch (error) {
    const reason =
      errnoOf(error) === 'EEXIST' ? 'there is one already; it stays as it is' : describeError(error)
    throw new UserError(`Cannot write the configuration "${path}": ${reason}`)
  }
  ignoreSecrets(dirname(resolve(path)), place.kind)
}

/** Directories and the passphrase of a trial, all private. */
function prepareTrial(directory: string): void {
  for (const name of ['', 'state', 'log', 'backups'])
    mkdirSync(join(directory, name), { recursive: true, mode: 0o700 })
  const passphrase = join(directory, 'backup.passphrase')
  if (!existsSync(passphrase))
    writeFileSync(passphrase, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
}

function trialLog(path: string): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level: 'info', message: 'trial configuration written', path })}\n`
}
