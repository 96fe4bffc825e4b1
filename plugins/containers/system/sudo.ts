import type { Finding } from '../../../agent/contract/mod.ts'

const ENGINES =
  /(?:^|[\s,=!])(?:\/\S*\/)?(docker|docker-compose|podman|podman-compose|nerdctl|ctr)(?=$|[\s,:])/

/** Rules of a sudoers file that let somebody run an engine as another user. Sudo reads "\" at an end as going on. Pure. */
export function judgeSudoers(path: string, text: string): Finding[] {
  const findings: Finding[] = []
  const aliases = new Set<string>()
  for (const { line, words } of logicalLines(text)) {
    const alias = /^Cmnd_Alias\s+([A-Z]\w*)\s*=(.*)$/.exec(words)
    if (alias?.[1] && ENGINES.test(alias[2] ?? '')) aliases.add(alias[1])
    if (/^(Defaults|\w+_Alias|[@#]include)/.test(words)) continue
    const [, who = '', what = ''] = /^(\S+)\s+[^=]+=(.*)$/.exec(words) ?? []
    const commands = what
      .replace(/\([^)]*\)/g, ' ')
      .split(',')
      .filter((command) => !/^\s*(\w+:\s*)*!/.test(command))
    const isMeant = commands.some(
      (command) => ENGINES.test(command) || command.split(/[\s:]+/).some((word) => aliases.has(word)),
    )
    if (who === '' || who === 'root' || !isMeant) continue
    findings.push({
      rule: 'engine-through-sudo',
      subject: `${path}:${who}`,
      severity: 'warning',
      summary: `${who} may run a container engine by sudo, and can become root with it${/NOPASSWD/.test(what) ? ' without a password' : ''}`,
      remedy: `Take the rule out (visudo -f ${path}, line ${line}), and let ${who} use a rootless engine`,
      evidence: { path, line },
    })
  }
  return findings
}

function logicalLines(text: string): { line: number; words: string }[] {
  const result: { line: number; words: string }[] = []
  let started = 0
  let words = ''
  text.split('\n').forEach((raw, index) => {
    if (words === '') started = index + 1
    words += raw.replace(/\\$/, ' ')
    if (raw.endsWith('\\')) return
    const bare = words.replace(/(^|\s)#(?!include|\d).*$/, '').trim()
    if (bare !== '') result.push({ line: started, words: bare })
    words = ''
  })
  return result
}

/** Users with a rootless engine who ran one by sudo all the same, in the log of sudo. Pure. */
export function judgeSudoLog(text: string, users: string[]): Finding[] {
  const counts = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, user, command] = /\bsudo(?:\[\d+\])?:\s+(\S+) : .*\bCOMMAND=(\S+)/.exec(line) ?? []
    if (!user || !users.includes(user) || !command || !ENGINES.test(command)) continue
    counts.set(user, (counts.get(user) ?? 0) + 1)
  }
  return [...counts].map(([user, count]) => ({
    rule: 'engine-through-sudo',
    subject: `${user}: by sudo`,
    severity: 'warning',
    summary: `${user} has a rootless engine, and ran one by sudo ${count} ${count === 1 ? 'time' : 'times'}`,
    remedy: `Let ${user} run it without sudo: export DOCKER_HOST=unix:///run/user/$(id -u ${user})/docker.sock`,
    evidence: { path: '/var/log/auth.log', times: count },
  }))
}
