/** What a command does that deserves a second look: a word of the rule, and why. */
export interface Suspicion {
  rule: 'dangerous-command' | 'shell-command'
  what: string
  why: string
  severity: 'info' | 'warning'
}

const DANGEROUS: [what: string, pattern: RegExp, why: string][] = [
  [
    'rm -rf',
    /\brm\s(?=(?:\s*-\S+)*\s*-\w*[rR])(?=(?:\s*-\S+)*\s*-\w*f)/,
    'removes whatever it is given, with all below',
  ],
  ['dd', /\bdd\s+(?:\S+\s+)*(?:if|of)=/, 'writes over disks as readily as files'],
  ['mkfs', /\bmkfs(?:\.\w+)?\b/, 'makes a file system anew'],
  ['format', /^\s*format\b/, 'makes a disk anew'],
  ['sudo', /\bsudo\b/, 'becomes another user'],
  ['su', /(?:^|[\s;&|])su\s+-/, 'becomes another user'],
  ['wget', /\bwget\b/, 'fetches from elsewhere'],
  ['curl', /\bcurl\b/, 'fetches from elsewhere'],
  ['nc', /(?:^|[\s;&|/])(?:nc|ncat|netcat)\s/, 'opens connections to anywhere'],
  ['telnet', /\btelnet\b/, 'talks in clear'],
  ['chmod 777', /\bchmod\s+(?:-\w+\s+)*(?:0?777|a\+rwx|ugo\+rwx)\b/, 'lets everybody write'],
]
const PIPED_TO_SHELL = /\b(?:curl|wget)\b[^|]*\|\s*(?:sudo\s+)?(?:\S*\/)?(?:ba|da|z|k)?sh\b/
const SHELL = /^\s*(?:\S*\/)?(?:ba|da|z|k|a)?sh\s+(?:-\w+\s+)*-\w*c\b/
const OPERATOR = /&&|\|\||>>|<<|\$\(|[;|<>`]|&(?=\s|$)/

/** Pure. The command is never repeated in what is said: it may hold a secret. */
export function suspicionsOf(command: string): Suspicion[] {
  const found: Suspicion[] = []
  if (PIPED_TO_SHELL.test(command)) {
    found.push(dangerous('download into a shell', 'runs what somebody else wrote, unseen'))
  }
  for (const [what, pattern, why] of DANGEROUS) if (pattern.test(command)) found.push(dangerous(what, why))
  const operator = OPERATOR.exec(withoutQuoted(command))?.[0]
  if (SHELL.test(command)) {
    found.push({
      rule: 'shell-command',
      what: 'sh -c',
      why: 'what is put into it is read as a program',
      severity: 'info',
    })
  } else if (operator !== undefined) {
    const why = `there is no shell, and it is passed on as a word`
    found.push({ rule: 'shell-command', what: operator, why, severity: 'warning' })
  }
  return found
}

function dangerous(what: string, why: string): Suspicion {
  return { rule: 'dangerous-command', what, why, severity: 'warning' }
}

function withoutQuoted(command: string): string {
  return command.replace(/"[^"]*"|'[^']*'/g, '')
}

/** The program that a command starts, where it is told by its whole path. */
export function programOf(command: string): string | undefined {
  const word = /^\s*(?:"([^"]+)"|'([^']+)'|(\S+))/.exec(command)
  const path = word?.[1] ?? word?.[2] ?? word?.[3] ?? ''
  return path.startsWith('/') && !/\/\.{1,2}(\/|$)/.test(path) ? path : undefined
}
