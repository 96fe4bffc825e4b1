/**
 * File capabilities: the value of the attribute security.capability (struct vfs_cap_data of
 * include/uapi/linux/capability.h) and its text as `getcap` shows it.
 */

// In the order of their numbers, include/uapi/linux/capability.h.
const NAMES = (
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service ' +
  'net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct ' +
  'sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap ' +
  'mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'
).split(' ')

/** Names of a set as the kernel has it in /proc/PID/status, "CAP_NET_RAW", in the order of their numbers. Pure. */
export function capabilityNames(set: bigint): string[] {
  const names: string[] = []
  for (let number = 0; number < 64; number++) {
    if (((set >> BigInt(number)) & 1n) === 1n)
      names.push(`CAP_${(NAMES[number] ?? String(number)).toUpperCase()}`)
  }
  return names
}

const REVISION_MASK = 0xff000000
const REVISION_2 = 0x02000000
const REVISION_3 = 0x03000000
const EFFECTIVE = 1

/** The text of the attribute's value: "cap_net_raw=ep". Throws for what is none. */
export function formatCapabilities(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = bytes.length >= 4 ? view.getUint32(0, true) : 0
  const revision = (magic & REVISION_MASK) >>> 0
  const expected = revision === REVISION_2 ? 20 : revision === REVISION_3 ? 24 : 12
  if (bytes.length !== expected) throw new Error('the file capabilities are damaged')
  const isEffective = (magic & EFFECTIVE) !== 0
  const words = bytes.length >= 20 ? 2 : 1
  const byLetters = new Map<string, string[]>()
  for (let number = 0; number < words * 32; number++) {
    const offset = 4 + Math.floor(number / 32) * 8
    const bit = 2 ** (number % 32)
    const has = (word: number) => (Math.floor(word / bit) & 1) === 1
    const permitted = has(view.getUint32(offset, true))
    const inheritable = has(view.getUint32(offset + 4, true))
    if (!permitted && !inheritable) continue
    const letters = `${isEffective ? 'e' : ''}${inheritable ? 'i' : ''}${permitted ? 'p' : ''}`
    byLetters.set(letters, [...(byLetters.get(letters) ?? []), `cap_${NAMES[number] ?? number}`])
  }
  const text = [...byLetters].map(([letters, names]) => `${names.join(',')}=${letters}`).join(' ') || '='
  return revision === REVISION_3 ? `${text} [rootid=${view.getUint32(20, true)}]` : text
}

/** The attribute's value for a text. Throws for what is none. */
export function parseCapabilities(text: string): Uint8Array {
  const root = /^(.*?)\s*\[rootid=(\d+)\]$/.exec(text)
  const permitted = new Set<number>()
  const inheritable = new Set<number>()
  let isEffective = false
  for (const clause of (root?.[1] ?? text).trim().split(/\s+/)) {
    if (clause === '=') continue
    const match = /^([a-z0-9_,]+)[=+]([eip]+)$/.exec(clause)
    if (!match) throw new Error(`"${text}" is no set of capabilities, such as "cap_net_raw=ep"`)
    const [, names = '', letters = ''] = match
    isEffective ||= letters.includes('e')
    for (const name of names.split(',')) {
      const short = name.replace(/^cap_/, '')
      const number = /^\d+$/.test(short) ? Number(short) : NAMES.indexOf(short)
      if (number < 0 || number > 63) throw new Error(`"${text}": there is no capability "${name}"`)
      if (letters.includes('p')) permitted.add(number)
      if (letters.includes('i')) inheritable.add(number)
    }
  }
  const bytes = new Uint8Array(root ? 24 : 20)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, ((root ? REVISION_3 : REVISION_2) | (isEffective ? EFFECTIVE : 0)) >>> 0, true)
  const word = (set: Set<number>, from: number) =>
    [...set].filter((n) => n >= from && n < from + 32).reduce((sum, n) => sum + 2 ** (n - from), 0)
  for (const from of [0, 32]) {
    view.setUint32(4 + from / 4, word(permitted, from), true)
    view.setUint32(8 + from / 4, word(inheritable, from), true)
  }
  if (root) view.setUint32(20, Number(root[2]), true)
  return bytes
}
