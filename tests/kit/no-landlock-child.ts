import { architecture, LANDLOCK_CREATE_RULESET, processControl } from '../../agent/host/libc.ts'
import { installFilter } from '../../agent/worker/seccomp.ts'

// Executes a command on a kernel that has no Landlock, as far as the command can tell: `… PROGRAM ARGUMENT…`.

const PR_SET_NO_NEW_PRIVS = 38
const EOPNOTSUPP = 95

architecture() // throws where numbers of system calls are not known
processControl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
installFilter([
  [0x20, 0, 0, 0], // load the number of the call, which is the same on every architecture
  [0x15, 0, 1, LANDLOCK_CREATE_RULESET],
  [0x06, 0, 0, 0x00050000 | EOPNOTSUPP],
  [0x06, 0, 0, 0x7fff0000],
])
const [program = '', ...args] = process.argv.slice(2)
process.execve?.(program, [program, ...args], process.env as Record<string, string>)
