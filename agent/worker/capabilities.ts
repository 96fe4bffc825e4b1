import { readFileSync } from 'node:fs'
import { architecture, NUMBERS, processControl, systemCall } from '../host/libc.ts'

/** Names by bit, from the kernel's include/uapi/linux/capability.h. */
export const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
]

const PR_CAPBSET_DROP = 24
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_RAISE = 2
const PR_CAP_AMBIENT_CLEAR_ALL = 4
const VERSION_3 = 0x20080522

/** This process's permitted capabilities as a bit set. */
export function permittedCapabilities(): bigint {
  const line = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return BigInt(`0x${line?.[1] ?? '0'}`)
}

/** Bit set of capability names; unknown names are an error. */
export function capabilitySet(names: string[]): bigint {
  let set = 0n
  for (const name of names) {
    const bit = CAPABILITIES.indexOf(name)
    if (bit < 0) throw new Error(`Cannot grant "${name}": there is no such capability`)
    set |= 1n << BigInt(bit)
  }
  return set
}

/** Gives up every capability that is not in `wanted`, for good; those kept survive the next execve. */
export function keepCapabilities(wanted: bigint): void {
  const kept = permittedCapabilities() & wanted
  for (let bit = 0; bit < CAPABILITIES.length; bit++) {
    // Refused without CAP_SETPCAP: an ordinary user cannot gain from the bounding set anyway.
    if (!(kept & (1n << BigInt(bit)))) processControl(PR_CAPBSET_DROP, bit, 0, 0, 0)
  }
  processControl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
  const header = new Uint32Array([VERSION_3, 0])
  const low = Number(kept & 0xffffffffn)
  const high = Number(kept >> 32n)
  const data = new Uint32Array([low, low, low, high, high, high])
  const result = systemCall(NUMBERS[architecture()].capset, header, data)
  if (result < 0) throw new Error(`Cannot give up capabilities: errno ${-result}`)
  for (let bit = 0; bit < CAPABILITIES.length; bit++) {
    if (kept & (1n << BigInt(bit))) processControl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0)
  }
}
