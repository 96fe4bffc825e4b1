import type { ContainerSettings } from '../settings.ts'
import { graveIfRoot, type Judgement } from './fault.ts'

/** With these a process in a container can take the host. */
const TAKES_HOST = [
  'ALL',
  'SYS_ADMIN',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_PTRACE',
  'DAC_READ_SEARCH',
  'BPF',
  'SYS_BOOT',
]

const isRoot = (user: string) => /^(|root|0+)(:.*)?$/.test(user.trim())
const hasOption = (settings: ContainerSettings, pattern: RegExp) =>
  settings.securityOptions.some((option) => pattern.test(option))
/** Which user it is then stands in the image, which a file does not show. */
const isOfImage = ({ user, origin }: ContainerSettings) => user === '' && origin.kind === 'file'

/** What a container may do, and as whom. */
export const PRIVILEGES: Judgement[] = [
  {
    rule: 'privileged',
    aspects: ['privileged'],
    judge: (settings) =>
      settings.privileged
        ? [
            {
              severity: graveIfRoot(settings),
              says: 'is privileged: it can do on the host what its engine can',
              flag: 'without --privileged',
              key: 'privileged: false',
            },
          ]
        : [],
  },
  {
    rule: 'dangerous-capability',
    aspects: ['capAdd'],
    judge: (settings, { capabilities }) => {
      const added = settings.capAdd.filter((one) => !capabilities.includes(one))
      if (added.length === 0) return []
      const isGrave = added.some((one) => TAKES_HOST.includes(one))
      return [
        {
          severity: isGrave ? graveIfRoot(settings) : 'warning',
          says: `has more capabilities than others: ${added.join(', ')}`,
          flag: `without --cap-add ${added.join(', --cap-add ')}`,
          key: `cap_add: [${settings.capAdd.filter((one) => capabilities.includes(one)).join(', ')}]`,
          evidence: { capabilities: added.join(', ') },
        },
      ]
    },
  },
  {
    rule: 'capabilities-kept',
    aspects: ['capDrop', 'privileged'],
    ofAbsence: true,
    judge: (settings, { capabilities }) => {
      const kept = settings.keptCapabilities.filter((one) => !capabilities.includes(one))
      return settings.privileged || kept.length === 0
        ? []
        : [
            {
              severity: 'info',
              says: `keeps capabilities that it may not need: ${kept.join(', ')}`,
              flag: '--cap-drop ALL, and --cap-add for each that it does need',
              key: 'cap_drop: [ALL]',
            },
          ]
    },
  },
  {
    rule: 'privilege-escalation',
    aspects: ['securityOptions'],
    ofAbsence: true,
    judge: (settings) =>
      hasOption(settings, /^no-new-privileges([:=]true)?$/)
        ? []
        : [
            {
              severity: 'info',
              says: 'lets its processes gain privileges by setuid programs',
              flag: '--security-opt no-new-privileges',
              key: 'security_opt: ["no-new-privileges:true"]',
            },
          ],
  },
  {
    rule: 'unconfined',
    aspects: ['securityOptions'],
    judge: (settings) => {
      const off = settings.securityOptions.filter((option) =>
        /^(seccomp|apparmor|systempaths)[:=]unconfined$|^label[:=]disable$/.test(option),
      )
      return off.map((option) => ({
        severity: 'warning',
        says: `runs without a wall that containers have: ${option}`,
        flag: `without --security-opt ${option}`,
        key: `security_opt without ${option}`,
        part: option.split(/[:=]/)[0] ?? option,
      }))
    },
  },
  {
    rule: 'root-user',
    aspects: ['user'],
    ofAbsence: true,
    judge: (settings) =>
      isRoot(settings.user)
        ? [
            {
              severity: settings.hasUserNamespace || isOfImage(settings) ? 'info' : 'warning',
              says: isOfImage(settings)
                ? 'names no user: it runs as whom its image says, which is root unless that is said'
                : 'runs as root',
              flag: '--user 1000:1000',
              key: 'user: "1000:1000"',
              evidence: { user: settings.user },
            },
          ]
        : [],
  },
  {
    rule: 'host-namespace',
    aspects: ['namespaces'],
    judge: (settings) =>
      settings.hostNamespaces.map((name) => ({
        severity: name === 'pid' ? graveIfRoot(settings) : 'warning',
        says: `shares the ${name} namespace of the host`,
        flag: `without --${name === 'user' ? 'userns' : name === 'cgroup' ? 'cgroupns' : name} host`,
        key: `without ${name === 'user' ? 'userns_mode' : name}: host`,
        part: name,
      })),
  },
]
