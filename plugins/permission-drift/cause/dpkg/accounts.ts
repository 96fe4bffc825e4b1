/** Files of accounts that shadow's programs write, with what they leave beside them. */
export const ACCOUNT_FILES = ['/etc/passwd', '/etc/group', '/etc/shadow', '/etc/gshadow']

/** Groups that give power over the host: who becomes a member of one is news, whoever did it. */
const POWERFUL = new Set([
  'root',
  'sudo',
  'wheel',
  'admin',
  'adm',
  'shadow',
  'disk',
  'docker',
  'lxd',
  'kmem',
  'libvirt',
])
const FIRST_ORDINARY_ID = 1000

/** Identity of each line of an account file, by the name that it is of. */
export function accountLines(text: string, identify: (line: string) => string): Record<string, string> {
  const lines: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const name = line.slice(0, Math.max(0, line.indexOf(':')))
    if (name !== '') lines[name] = identify(line)
  }
  return lines
}

/**
 * Whether an account file differs from what it was only as the installation of packages makes it differ: system
 * users and groups come and go, with locked passwords, and become members of groups without power.
 */
export function isSystemAccountChange(
  path: string,
  text: string,
  before: Readonly<Record<string, string>>,
  identify: (line: string) => string,
): boolean {
  return text.split('\n').every((line) => {
    if (line === '') return true
    const fields = line.split(':')
    const [name = ''] = fields
    const known = before[name]
    if (known !== undefined && known === identify(line)) return true
    if (/^[+-]/.test(name) || !/^[a-z_][a-z0-9_-]*\$?$/.test(name)) return false
    switch (path) {
      case '/etc/passwd':
        return known === undefined && fields.length === 7 && fields[1] === 'x' && isSystemId(fields[2])
      case '/etc/shadow':
        return known === undefined && fields.length === 9 && /^[!*]/.test(fields[1] ?? '')
      case '/etc/group':
        return fields.length === 4 && isSystemId(fields[2]) && !POWERFUL.has(name)
      case '/etc/gshadow':
        return fields.length === 4 && /^[!*]*$/.test(fields[1] ?? '') && !POWERFUL.has(name)
      default:
        return false
    }
  })
}

function isSystemId(text: string | undefined): boolean {
  if (!text || !/^\d+$/.test(text)) return false
  const id = Number(text)
  return (id > 0 && id < FIRST_ORDINARY_ID) || id === 65534
}
