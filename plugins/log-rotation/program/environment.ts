/** Variables by which an environment could change what a shell or a program runs, beyond what PATH does. */
const UNSAFE =
  /^(?:LD_.*|BASH_ENV|ENV|IFS|CDPATH|SHELLOPTS|BASHOPTS|PS4|GLOBIGNORE|BASH_FUNC_.*|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|PERL5LIB|PERL5OPT|PERLLIB|PYTHONPATH|PYTHONHOME|PYTHONSTARTUP|PYTHONINSPECT|RUBYLIB|RUBYOPT|NODE_OPTIONS|BUN_.*|TMPPREFIX|NULLCMD|READNULLCMD|ZDOTDIR)$/
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The environment for scripts and programs: the caller's, without what could run something else. */
export function cleanEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !UNSAFE.test(entry[0]),
  )
  return { PATH, ...Object.fromEntries(kept) }
}
