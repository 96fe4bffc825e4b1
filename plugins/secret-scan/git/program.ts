import type { HostReader, RunResult } from '../../../agent/contract/mod.ts'

export const GIT = '/usr/bin/git'
/** A file that is not there is no settings; of a device git would ask what the jail forbids. */
const NOWHERE = '/nonexistent'

/**
 * Before every command of git: whoever can write in a repository must not decide what is executed, asked or fetched
 * when it is looked at. Its own settings cannot be switched off as a whole, so all that start a program are overruled;
 * the jail lets git start nothing but itself, too.
 */
const GUARDS: string[] = [
  '--no-pager',
  '--no-optional-locks',
  ...[
    // Repositories of other users are looked at on purpose.
    'safe.directory=*',
    'core.fsmonitor=false',
    `core.hooksPath=${NOWHERE}`,
    `core.attributesFile=${NOWHERE}`,
    // The repository's own rules count, not those of whoever works in it.
    `core.excludesFile=${NOWHERE}`,
    'core.quotePath=false',
    'core.untrackedCache=false',
    'log.showSignature=false',
    'log.mailmap=false',
    'diff.renames=false',
    'diff.noprefix=false',
    'diff.mnemonicPrefix=false',
    'diff.ignoreSubmodules=all',
    'submodule.recurse=false',
    'protocol.allow=never',
    'gc.auto=0',
  ].flatMap((setting) => ['-c', setting]),
]

const ENVIRONMENT = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: NOWHERE,
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  GIT_OPTIONAL_LOCKS: '0',
  // Of a partial clone nothing that is missing is fetched, whatever its settings allow.
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  HOME: NOWHERE,
  XDG_CONFIG_HOME: NOWHERE,
  LC_ALL: 'C.UTF-8',
}

/** What a job with repositories may run. */
export const GIT_PERMISSION: [string, ...string[]] = [GIT, ...GUARDS]

/** For `git log` and `git diff`: no program of the repository makes the text. */
export const PLAIN_PATCH = [
  '--patch',
  '--unified=0',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--no-renames',
  '--src-prefix=a/',
  '--dst-prefix=b/',
]

const TIMEOUT_MS = 60_000

/** A repository: its directory, and where git keeps it. */
export interface Repository {
  path: string
  gitDirectory: string
  isBare: boolean
}

/** Git on one repository. Nothing is looked for above its directory. */
export class Git {
  constructor(
    private readonly host: HostReader,
    private readonly repository: Repository,
    private readonly signal: AbortSignal,
  ) {}

  private command(args: string[]): [string, ...string[]] {
    const { path, gitDirectory, isBare } = this.repository
    const place = isBare
      ? [`--git-dir=${gitDirectory}`]
      : [`--git-dir=${gitDirectory}`, `--work-tree=${path}`]
    return [GIT, ...GUARDS, ...place, ...args]
  }

  run(args: string[], options: { maxBytes?: number; stdin?: string } = {}): Promise<RunResult> {
    return this.host.run(this.command(args), {
      env: ENVIRONMENT,
      timeout: TIMEOUT_MS,
      signal: this.signal,
      maxBytes: 32 * 1024 * 1024,
      ...options,
    })
  }

  /** Its output in pieces, until `onPiece` has enough. Says why there is no more, where that is not the end. */
  async stream(args: string[], onPiece: (piece: Uint8Array) => boolean): Promise<string | undefined> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    const running = this.host.start(this.command(args), {
      env: ENVIRONMENT,
      signal: AbortSignal.any([this.signal, timeout]),
    })
    await running.endInput()
    for await (const piece of running.stdout) {
      if (onPiece(piece)) continue
      running.kill()
      await running.ended
      return 'there is more than is searched (git.historyBytes)'
    }
    const { exitCode, stderr } = await running.ended
    this.signal.throwIfAborted()
    if (timeout.aborted) return `git took longer than ${TIMEOUT_MS / 1000} s`
    return exitCode === 0 ? undefined : (stderr.trim().split('\n')[0] ?? `git ended with ${exitCode}`)
  }
}

/** Why a command of git did not say what was asked; undefined when it did. */
export function failureOf(
  result: RunResult,
  isOk: (exitCode: number) => boolean = (code) => code === 0,
): string | undefined {
  if (result.timedOut) return `git took longer than ${TIMEOUT_MS / 1000} s`
  if (result.truncated) return 'git says too much'
  if (result.exitCode !== null && isOk(result.exitCode)) return undefined
  return result.stderr.trim().split('\n')[0] || `git ended with ${result.exitCode ?? result.signal}`
}
