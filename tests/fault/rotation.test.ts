import { expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../agent/contract/mod.ts'
import plugin from '../../plugins/credential-age/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../kit/plugin.ts'
import { CLIENT_OF_ANOTHER, DAY, NOW, OLD, Service } from '../plugins/credential-age/rotation/service.ts'

setDefaultTimeout(300_000)

/** One is killed at every so many places. */
const STRIDE = Number(process.env.REEVE_FAULT_STRIDE ?? 11)

const DUE: Finding[] = [
  { rule: 'credential-rotation-due', subject: 'service', severity: 'warning', summary: 'due', fixable: true },
]

type Kind = 'env-file' | 'token-file'

function prepare(directory: string, kind: Kind) {
  const service = new Service(directory)
  service.start(
    kind === 'env-file'
      ? `API_TOKEN=${OLD}\nPORT=80\n`
      : `# billing\n${OLD}\n# other\n${CLIENT_OF_ANOTHER}\n`,
  )
  writeFileSync(service.client, `SERVICE_TOKEN=${OLD}\n`)
  const entry = kind === 'env-file' ? 'API_TOKEN' : 'billing'
  const deliver = [{ path: service.client, key: 'SERVICE_TOKEN' }]
  return { service, config: service.config(kind, { entry, deliver }) }
}

function rotateInChild(config: unknown, stateDir: string, nowMs: number, cut: number) {
  const task = JSON.stringify({ config, stateDir, nowMs, cut })
  const child = Bun.spawnSync([process.execPath, join(import.meta.dir, 'rotation-child.ts'), task])
  return {
    places: Number(child.stdout.toString()),
    signal: child.signalCode,
    stderr: child.stderr.toString(),
  }
}

const clientToken = (service: Service) =>
  /SERVICE_TOKEN=(.*)/.exec(readFileSync(service.client, 'utf8'))?.[1] ?? ''

/** What a service that starts now would accept. */
function wouldAccept({ file }: Service, value: string): boolean {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.includes(value) || lines.includes(`API_TOKEN=${value}`)
}

const accepts = ({ verify }: Service, value: string) =>
  Bun.spawnSync(verify, { stdin: Buffer.from(`${value}\n`) }).exitCode === 0

for (const kind of ['env-file', 'token-file'] as const) {
  for (const phase of ['first half', 'second half'] as const) {
    test(`a rotation of a ${kind}, killed at every place of its ${phase}: a credential works, the next run finishes or takes back`, async () => {
      using start = temporaryDirectory('reeve-rotation')
      // The paths are part of the programs, so every attempt is made in the same directory.
      const directory = join(start.path, 'host')
      const { config } = prepare(directory, kind)
      const stateDir = join(directory, 'state')
      const atMs = phase === 'first half' ? NOW : NOW + 2 * DAY
      if (phase === 'second half') expect(rotateInChild(config, stateDir, NOW, 0).stderr).toBe('')
      cpSync(directory, join(start.path, 'before'), { recursive: true })
      const { places, stderr } = rotateInChild(config, stateDir, atMs, 0)
      expect(stderr).toBe('')
      expect(places).toBeGreaterThan(phase === 'first half' ? 30 : 8)
      for (let cut = 1; cut <= places; cut += STRIDE) {
        Bun.spawnSync(['rm', '-rf', directory])
        cpSync(join(start.path, 'before'), directory, { recursive: true })
        const service = new Service(directory)
        const before = clientToken(service)
        const { signal } = rotateInChild(config, stateDir, atMs, cut)
        expect(signal).toBe('SIGKILL')
        // What the client has works with the service that runs, and with one that is restarted now.
        const held = clientToken(service)
        if (kind === 'token-file') {
          expect(accepts(service, held)).toBe(true)
          expect(wouldAccept(service, held)).toBe(true)
        }
        // An env-file holds one value: the one before, or one that waits beside the client's.
        const known = [held, before, ...beside(service)]
        expect(known.some((value) => accepts(service, value))).toBe(true)
        expect(known.some((value) => wouldAccept(service, value))).toBe(true)
        // The next run, and the one after the overlap, bring it to its end.
        const job = (nowMs: number) => pluginUnderTest(plugin, config, { stateDir, now: new Date(nowMs) })
        const first = phase === 'first half' ? DUE : (await job(atMs).check()).findings
        expect((await job(atMs).apply(first)).findings).toEqual([])
        const rest = (await job(NOW + 9 * DAY).check()).findings
        expect((await job(NOW + 9 * DAY).apply(rest)).findings).toEqual([])
        expect((await job(NOW + 9 * DAY).check()).findings).toEqual([])
        const final = clientToken(service)
        expect(final).not.toBe(OLD)
        expect([accepts(service, final), wouldAccept(service, final)]).toEqual([true, true])
        expect([accepts(service, OLD), wouldAccept(service, OLD)]).toEqual([false, false])
        expect(readdirSync(join(directory, 'etc'))).toEqual(['secret'])
        expect(readdirSync(join(directory, 'client'))).toEqual(['env'])
      }
    })
  }
}

/** Values that lie beside the client's file during a rotation. */
function beside({ client }: Service): string[] {
  return [`${client}.reeve-next`, `${client}.reeve-previous`].flatMap((path) =>
    existsSync(path) ? (/SERVICE_TOKEN=(.*)/.exec(readFileSync(path, 'utf8'))?.[1] ?? []) : [],
  )
}
