import { spawn } from 'node:child_process'
import * as fs from 'node:fs'

// An external plugin that does what a file on the host tells it: the other tests pull its strings.

type Contract = typeof import('../../../agent/contract/mod.ts')

/** What the file holds, as JSON. */
export interface Script {
  /** Subjects of findings. */
  wrong?: string[]
  severity?: 'info' | 'warning' | 'critical'
  blind?: string[]
  fail?: string
  /** Wait for the end of the run, and do not listen to SIGTERM. */
  hang?: 'politely' | 'stubbornly'
  /** Take so long, in milliseconds. */
  take?: number
  /** Programs to start, which it leaves behind; each gets a session of its own when `escape` is set. */
  children?: string[][]
  escape?: boolean
  exit?: number
  memory?: string
  metric?: number
  say?: string
}

export default ({ definePlugin, z }: Contract) =>
  definePlugin({
    name: 'puppet',
    summary: 'Does what a file tells it',
    defaults: { schedule: 'manual', timeout: '30s' },
    rules: { wrong: { means: 'The file says so', severity: 'warning' } },
    config: z.strictObject({
      script: z.string(),
      programs: z.array(z.string()).default([]),
    }),
    permissions: ({ script, programs }) => ({
      check: {
        read: [script],
        ...(programs.length > 0 && {
          run: programs.map((program): [string, ...string[]] => [program, '…']),
        }),
      },
    }),
    async check({ config, host, stateDir, signal, log, memory }) {
      const script: Script = JSON.parse(host.readText(config.script))
      const pids = (script.children ?? []).map(([program = '', ...args]) => {
        const child = spawn(program, args, { detached: script.escape === true, stdio: 'ignore' })
        child.unref()
        return child.pid
      })
      if (script.say) {
        log.info(script.say)
        console.log(script.say)
      }
      if (script.hang === 'stubbornly') process.on('SIGTERM', () => {})
      fs.writeFileSync(`${stateDir}/pids.new`, JSON.stringify([process.pid, ...pids]))
      fs.renameSync(`${stateDir}/pids.new`, `${stateDir}/pids`)
      if (script.exit !== undefined) process.exit(script.exit)
      if (script.hang) {
        await new Promise((_, reject) => {
          if (script.hang === 'politely') signal.addEventListener('abort', () => reject(signal.reason))
        })
      }
      if (script.take) await Bun.sleep(script.take)
      if (script.fail) throw new Error(script.fail)
      return {
        findings: (script.wrong ?? []).map((subject) => ({
          rule: 'wrong',
          subject,
          severity: script.severity ?? ('warning' as const),
          summary: `${subject} is wrong`,
          remedy: `Mend ${subject}`,
        })),
        blind: (script.blind ?? []).map((subject) => ({ subject, reason: 'the file says so' })),
        facts: [{ kind: 'memory', subject: 'before', data: { value: JSON.stringify(memory ?? null) } }],
        ...(script.metric !== undefined && { metrics: [{ name: 'puppet_value', value: script.metric }] }),
        ...(script.memory !== undefined && { memory: script.memory }),
        coverage: { examined: 1, skipped: 0 },
      }
    },
  })
