import { parseUnit } from '../policy/service-user.ts'

/** Pure: the programs that a unit runs as root; none when it runs as somebody else. */
export function programsOfUnit(text: string): string[] {
  const lines = text.replaceAll(/\\\r?\n/g, ' ').split('\n')
  const commands = lines.flatMap((line) => {
    const match =
      /^\s*Exec(?:Start|StartPre|StartPost|Condition|Reload|Stop|StopPost)\s*=\s*([-@:+!|]*)\s*"?([^\s"]+)/.exec(
        line,
      )
    return match ? [{ prefix: match[1] ?? '', program: match[2] ?? '' }] : []
  })
  const user = parseUnit(text).get('User') ?? ''
  const isRoot =
    (user === '' || user === 'root' || user === '0') && !/^\s*DynamicUser\s*=\s*(yes|true|1|on)/im.test(text)
  // "+" runs with all rights whatever the unit says (systemd.service(5)).
  return commands
    .filter(
      ({ prefix, program }) =>
        (isRoot || prefix.includes('+')) && program.startsWith('/') && !program.includes('%'),
    )
    .map(({ program }) => program)
}

/** Pure: the programs that lines of a crontab run as root; `withUser` for the tables of the system, which name one. */
export function programsOfCrontab(text: string, withUser: boolean): string[] {
  return text.split('\n').flatMap((line) => {
    if (/^\s*(#|$)/.test(line) || /^\s*\w+\s*=/.test(line)) return []
    const fields = line.trim().split(/\s+/)
    const time = fields[0]?.startsWith('@') ? 1 : 5
    if (withUser && fields[time] !== 'root') return []
    const command = fields.slice(time + (withUser ? 1 : 0)).join(' ')
    const words = command.replaceAll(/\d*[<>]+&?\s*\S+/g, ' ')
    return [...words.matchAll(/(?:^|[\s;&|(])(\/[^\s;&|)<>"']+)/g)].map((match) => match[1] ?? '')
  })
}
