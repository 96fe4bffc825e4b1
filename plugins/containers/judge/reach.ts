import type { Publication } from '../settings.ts'
import { type Fault, graveIfRoot, type Judgement } from './fault.ts'
import { bringsEngineSocket, sensitivityOf } from './mounts.ts'

const isLoopback = ({ address }: Publication) => /^(127\.|::1$|\[::1\]$|localhost$)/.test(address)

/** What of the host and its network a container reaches, and who reaches it. */
export const REACH: Judgement[] = [
  {
    rule: 'host-network',
    aspects: ['network'],
    judge: ({ network }) =>
      network === 'host'
        ? [
            {
              severity: 'warning',
              says: 'shares the network of the host: it reaches what listens on the loopback',
              flag: '--network NAME, of a network made for it',
              key: 'networks: [NAME] in place of network_mode',
            },
          ]
        : [],
  },
  {
    rule: 'default-network',
    aspects: ['network'],
    judge: ({ network, origin }) =>
      (network === 'bridge' || network === 'default') && !(origin.kind === 'file' && network === 'default')
        ? [
            {
              severity: 'info',
              says: 'is on the default network, where it sees every other container that names none',
              flag: '--network NAME, of a network made for it, or --network none',
              key: 'networks: [NAME]',
            },
          ]
        : [],
  },
  {
    rule: 'engine-socket-mounted',
    aspects: ['mounts'],
    judge: (settings) =>
      settings.mounts.filter(bringsEngineSocket).map(({ source, target, readOnly, at }) => ({
        at,
        severity: settings.isRootless ? 'warning' : 'critical',
        says: `can have the engine do anything: ${source} is mounted on ${target}${readOnly ? ', and read-only does not limit what it asks for' : ''}`,
        flag: `without -v ${source}:…; where it needs the API, over a proxy that lets through only what it needs`,
        key: `volumes without ${source}`,
        part: source,
        evidence: { source, target, readOnly },
      })),
  },
  {
    rule: 'host-path-mounted',
    aspects: ['mounts'],
    judge: (settings) =>
      settings.mounts.flatMap((mount): Fault[] => {
        const { source, target, readOnly, at } = mount
        const opened = sensitivityOf(mount)
        if (!opened) return []
        return [
          {
            at,
            severity: opened === 'write' ? graveIfRoot(settings) : 'warning',
            says: `can ${opened} ${source} of the host, on ${target}`,
            flag:
              opened === 'write'
                ? `-v ${source}:${target}:ro, or better only what it needs of it`
                : 'only what it needs of it',
            key: `volumes: ["${source}:${target}:ro"], or better only what it needs of it`,
            part: source,
            evidence: { source, target, readOnly },
          },
        ]
      }),
  },
  {
    rule: 'published-everywhere',
    aspects: ['ports'],
    judge: ({ ports }, { publicPorts }) =>
      ports
        .filter((one) => !isLoopback(one) && !(one.port !== undefined && publicPorts.includes(one.port)))
        .filter(({ address }) => address === '' || address === '0.0.0.0' || /^\[?::\]?$/.test(address))
        .map(({ port, protocol, target, at }) => ({
          at,
          severity: 'warning' as const,
          says: `publishes ${port === undefined ? 'a port that the engine chooses' : `port ${port}/${protocol}`} on every address of the host, past its packet filter`,
          flag: `-p 127.0.0.1:${port ?? ''}:${target}`,
          key: `ports: ["127.0.0.1:${port ?? ''}:${target}"]`,
          part: `${port ?? `any-${target}`}/${protocol}`,
        })),
  },
  {
    rule: 'foreign-dns',
    aspects: ['dns'],
    judge: ({ dns }, { dns: allowed }) => {
      const foreign = allowed.length === 0 ? [] : dns.filter((server) => !allowed.includes(server))
      return foreign.length === 0
        ? []
        : [
            {
              severity: 'warning',
              says: `asks name servers that are not listed: ${foreign.join(', ')}`,
              flag: `--dns ${allowed[0]}`,
              key: `dns: [${allowed.join(', ')}]`,
            },
          ]
    },
  },
]
