import type { HostReader } from '../../../agent/contract/mod.ts'

/** The program with which the rules of this host are kept, for commands that hold. */
export interface FirewallManager {
  name: 'ufw' | 'firewalld' | 'nftables' | 'iptables'
  /** It is there and was not switched on. */
  isIdle: boolean
}

export const MANAGER_FILES = ['/etc/ufw/ufw.conf']

/** What is installed, the most convenient first. */
export function findManager(host: HostReader): FirewallManager {
  const has = (...paths: string[]) => paths.some((path) => host.statTarget(path) !== undefined)
  if (has('/usr/sbin/ufw')) return { name: 'ufw', isIdle: !isUfwEnabled(host) }
  if (has('/usr/bin/firewall-cmd')) {
    const isOn = has('/etc/systemd/system/multi-user.target.wants/firewalld.service')
    return { name: 'firewalld', isIdle: !isOn }
  }
  return { name: has('/usr/sbin/nft') ? 'nftables' : 'iptables', isIdle: false }
}

/** For the reader only: what is filtered is seen in the rules themselves. */
function isUfwEnabled(host: HostReader): boolean {
  try {
    return /^\s*ENABLED\s*=\s*"?yes"?\s*$/im.test(host.readText('/etc/ufw/ufw.conf'))
  } catch {
    return true
  }
}
