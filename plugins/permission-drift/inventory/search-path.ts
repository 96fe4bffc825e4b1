/**
 * Pure: the directories that a file puts into a PATH. Assignments of shells and of /etc/environment, ENV_PATH and
 * ENV_SUPATH of login.defs, secure_path of sudoers; `$HOME` and `~` are the home that is given, and what else is
 * only known when it runs is left out.
 */
export function parseSearchPath(text: string, home: string): string[] {
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    if (/^\s*#/.test(line)) continue
    const value =
      /(?:^|[\s;])(?:export\s+)?(?:PATH|ENV_PATH|ENV_SUPATH|secure_path)\s*[=\s]\s*(?:PATH=)?["']?([^"'\s;]+)/.exec(
        line,
      )?.[1]
    for (const part of value?.split(':') ?? []) {
      const path = part.replace(/^~(?=\/|$)/, home).replace(/^\$(?:HOME|\{HOME\})(?=\/|$)/, home)
      // An empty part, or a relative one, is the directory that one happens to be in.
      if (path.startsWith('/') && !path.includes('$'))
        found.add(path.length > 1 ? path.replace(/\/+$/, '') : path)
    }
  }
  return [...found]
}
