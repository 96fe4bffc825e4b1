import { formatPrefix, type Prefix } from '../../agent/contract/mod.ts'
import type { FirewallManager } from './firewall/manager.ts'

/** Commands that let only these sources come to a port; none: nobody but this host. Pure. */
export function filterPort(
  { name }: FirewallManager,
  { port, protocol }: { port: number; protocol: 'tcp' | 'udp' },
  sources: Prefix[],
): string {
  const texts = sources.map(formatPrefix)
  switch (name) {
    case 'ufw':
      return [
        ...texts.map((source) => `ufw allow from ${source} to any port ${port} proto ${protocol}`),
        `ufw deny ${port}/${protocol}`,
      ].join('\n')
    case 'firewalld':
      return [
        `firewall-cmd --permanent --remove-port=${port}/${protocol}`,
        ...sources.map(
          (source) =>
            `firewall-cmd --permanent --add-rich-rule='rule family="ipv${source.family}" source address="${formatPrefix(source)}" port port="${port}" protocol="${protocol}" accept'`,
        ),
        'firewall-cmd --reload',
      ].join('\n')
    case 'nftables':
      return nftCommands({ port, protocol }, sources)
    case 'iptables':
      return ([4, 6] as const)
        .flatMap((family) => iptablesCommands({ port, protocol }, family, sources))
        .join('\n')
  }
}

/** A table of its own: a packet must pass every table, so nothing that is there has to be known. */
function nftCommands({ port, protocol }: { port: number; protocol: string }, sources: Prefix[]): string {
  const except = (family: 4 | 6) => {
    const own = sources.filter((source) => source.family === family).map(formatPrefix)
    const name = family === 4 ? 'ip' : 'ip6'
    return own.length === 0 ? `meta nfproto ipv${family}` : `${name} saddr != { ${own.join(', ')} }`
  }
  return [
    'nft add table inet filter_ports',
    "nft 'add chain inet filter_ports input { type filter hook input priority -10; policy accept; }'",
    ...([4, 6] as const).map(
      (family) =>
        `nft 'add rule inet filter_ports input iifname != "lo" ${protocol} dport ${port} ${except(family)} drop'`,
    ),
    'And write the table to /etc/nftables.conf, so that it is there after a start',
  ].join('\n')
}

/** ACCEPT alone keeps nobody out: what is not from these sources is dropped after it. */
function iptablesCommands(
  { port, protocol }: { port: number; protocol: string },
  family: 4 | 6,
  sources: Prefix[],
): string[] {
  const program = family === 4 ? 'iptables' : 'ip6tables'
  const own = sources.filter((source) => source.family === family)
  return [
    `${program} -I INPUT 1 ! -i lo -p ${protocol} --dport ${port} -j DROP`,
    ...own.map(
      (source) => `${program} -I INPUT 1 -p ${protocol} -s ${formatPrefix(source)} --dport ${port} -j ACCEPT`,
    ),
  ]
}

/** Commands that switch a packet filter on, without locking out who is there over SSH. Pure. */
export function enableFirewall({ name }: FirewallManager): string {
  switch (name) {
    case 'firewalld':
      return 'systemctl enable --now firewalld\nfirewall-cmd --permanent --add-service=ssh\nfirewall-cmd --reload'
    case 'nftables':
      return [
        'nft add table inet filter',
        "nft 'add chain inet filter input { type filter hook input priority 0; policy accept; }'",
        'nft add rule inet filter input ct state established,related accept',
        'nft add rule inet filter input iifname lo accept',
        'nft add rule inet filter input meta l4proto { icmp, ipv6-icmp } accept',
        'nft add rule inet filter input tcp dport 22 accept',
        "nft 'add chain inet filter input { policy drop; }'",
        'And write it to /etc/nftables.conf: systemctl enable nftables',
      ].join('\n')
    default:
      return `${name === 'ufw' ? '' : 'apt-get install ufw\n'}ufw default deny incoming\nufw allow OpenSSH\nufw enable`
  }
}

/** Commands that slow down who connects too often: 100 times a minute from one address. Pure. */
export function limitRate(
  { port, protocol }: { port: number; protocol: 'tcp' | 'udp' },
  { name }: FirewallManager,
): string {
  if (name === 'ufw') return `ufw limit ${port}/${protocol}`
  const options = `-p ${protocol} --dport ${port} -m conntrack --ctstate NEW -m hashlimit --hashlimit-name port${port} --hashlimit-mode srcip --hashlimit-above 100/minute -j DROP`
  return `iptables -I INPUT ${options}\nip6tables -I INPUT ${options}`
}
