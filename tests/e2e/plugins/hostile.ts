import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createConnection } from 'node:net'

// An external plugin that tries everything that its job does not declare, each attempt by name, and reports
// how it ended: "done", or the code of the error. It runs in the worker of the compiled binary.

type Contract = typeof import('../../../agent/contract/mod.ts')

export default ({ definePlugin, z }: Contract) =>
  definePlugin({
    name: 'hostile',
    summary: 'Tries what it may not',
    defaults: { schedule: 'manual', timeout: '30s' },
    rules: { escaped: { means: 'An attempt went through', severity: 'critical' } },
    config: z.strictObject({
      attempts: z.array(z.string()),
      /** Let the first error out instead of reporting it. */
      give: z.boolean().default(false),
      /** A directory of the job, and one that is none of its business. */
      own: z.string(),
      other: z.string(),
      /** Of a process that is none of its business. */
      pid: z.number(),
      /** On which somebody listens. */
      port: z.number(),
      ports: z.array(z.number()).default([]),
      programs: z.array(z.string()).default([]),
    }),
    permissions: ({ own, ports, programs }) => ({
      check: {
        read: [own],
        ...(ports.length > 0 && { net: ports.map((port) => `127.0.0.1:${port}`) }),
        ...(programs.length > 0 && {
          run: programs.map((program): [string, ...string[]] => [program, '…']),
        }),
      },
    }),
    async check({ config, host, stateDir }) {
      const { own, other, pid, port } = config
      // The thread pool of asynchronous calls is up before anything is tried.
      await Promise.all(Array.from({ length: 8 }, () => fs.promises.readFile(`${own}/allowed`)))
      const secret = `${other}/secret`

      const attempts: Record<string, () => unknown> = {
        'read by a sync call': () => fs.readFileSync(secret),
        'read by the thread pool': () => fs.promises.readFile(secret),
        'read by Bun.file': () => Bun.file(secret).text(),
        'read by a stream': () => Array.fromAsync(fs.createReadStream(secret)),
        'read by a worker thread': () =>
          inThread(`require('node:fs').readFileSync(${JSON.stringify(secret)})`),
        'read through a link in its own directory': () => fs.readFileSync(`${own}/link`),
        'read through /proc/self/root': () => fs.readFileSync(`/proc/self/root${secret}`),
        'read through the host layer': () => host.readText(secret),
        'list a directory': () => fs.readdirSync(other),
        'read the database of reeve': () => fs.readFileSync(`${stateDir}/../../reeve.db`),
        'read the key of this host': () => fs.readFileSync(`${stateDir}/../../host.key`),
        'read the state of another job': () => fs.readFileSync(`${stateDir}/../neighbour/state`),
        'list the state of all jobs': () => fs.readdirSync(`${stateDir}/..`),
        'read the environment of another process': () => fs.readFileSync(`/proc/${pid}/environ`),
        'write a new file': () => fs.writeFileSync(`${other}/new`, 'x'),
        'write by the thread pool': () => fs.promises.writeFile(`${other}/new`, 'x'),
        'write by Bun.write': () => Bun.write(`${other}/new`, 'x'),
        'write into its own directory, which it may only read': () => fs.writeFileSync(`${own}/new`, 'x'),
        append: () => fs.appendFileSync(`${other}/victim`, 'x'),
        truncate: () => fs.truncateSync(`${other}/victim`, 0),
        remove: () => fs.unlinkSync(`${other}/victim`),
        rename: () => fs.renameSync(`${other}/victim`, `${other}/renamed`),
        'move out of its state directory': () => {
          fs.writeFileSync(`${stateDir}/loot`, 'x')
          fs.renameSync(`${stateDir}/loot`, `${other}/loot`)
        },
        'make a directory': () => fs.mkdirSync(`${other}/directory`),
        'make a link': () => fs.symlinkSync('/', `${other}/symlink`),
        'make a hard link of a secret': () => fs.linkSync(secret, `${stateDir}/hardlink`),
        chmod: () => fs.chmodSync(`${other}/victim`, 0o777),
        'chmod by the thread pool': () => fs.promises.chmod(`${other}/victim`, 0o777),
        'chmod of what it may read': () => fs.chmodSync(`${own}/allowed`, 0o777),
        chown: () => fs.chownSync(`${other}/victim`, process.getuid?.() ?? 0, process.getgid?.() ?? 0),
        'set times': () => fs.utimesSync(`${other}/victim`, 1, 1),
        'set an extended attribute': () => attribute(`${other}/victim`),
        'connect by TCP': () => connect({ host: '127.0.0.1', port }),
        'connect by fetch': () => fetch(`http://127.0.0.1:${port}/`),
        'connect to a unix socket': () => connect({ path: `${other}/socket` }),
        execute: () => run('/bin/true'),
        'execute its own binary': () => run(process.execPath, 'version'),
        'execute by Bun.spawn': () => Bun.spawnSync(['/bin/true']),
        'signal another process': () => process.kill(pid, 'SIGCONT'),
        'trace another process': () => systemCall('ptrace', PTRACE_SEIZE, BigInt(pid)),
        unshare: () => systemCall('unshare', CLONE_FILES),
        'set up io_uring': () => systemCall('io_uring_setup', 4n, 0n),
        // A program that it may run is in the same jail.
        'child: read': () => shell(`read line < '${secret}'`),
        'child: write': () => shell(`echo x > '${other}/new'`),
        'child: list': () => shell(`set -- '${other}'/*; [ -e "$1" ]`),
        'child: signal': () => shell(`kill -CONT ${pid}`),
        'child: execute what the job did not name': () => shell('/bin/cat /dev/null'),
        'child: change the mode': () => shell(`/bin/chmod 0777 '${other}/victim'`),
      }

      async function tryOne(name: string): Promise<string> {
        const attempt = attempts[name]
        if (!attempt) throw new Error(`no attempt "${name}"`)
        try {
          await attempt()
          return 'done'
        } catch (error) {
          if (config.give) throw error
          return error instanceof Error && 'code' in error ? String(error.code) : String(error)
        }
      }

      const results: [string, string][] = []
      for (const name of config.attempts) results.push([name, await tryOne(name)])
      return {
        findings: [],
        facts: results.map(([name, result]) => ({ kind: 'attempt', subject: name, data: { result } })),
      }
    },
  })

class SystemError extends Error {
  constructor(readonly code: string) {
    super(code)
  }
}

/** Ends with the code of the error that the thread met. */
async function inThread(code: string): Promise<void> {
  const source = `try { ${code}; postMessage('done') } catch (error) { postMessage(error.code) }`
  const thread = new Worker(`data:text/javascript,${encodeURIComponent(source)}`)
  const answer = await new Promise<string>((resolve) => {
    thread.onmessage = ({ data }) => resolve(String(data))
    thread.onerror = ({ message }) => resolve(message)
  })
  thread.terminate()
  if (answer !== 'done') throw new SystemError(answer)
}

function connect(where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(where, () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}

function run(...[program = '', ...args]: string[]): void {
  const { error, status } = spawnSync(program, args, { stdio: 'ignore' })
  if (error) throw error
  if (status !== 0) throw new SystemError(`exit ${status}`)
}

/** Nothing but builtins: what the shell cannot do it says by its exit code. */
function shell(script: string): void {
  const { error, status, stderr } = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' })
  if (error) throw error
  if (status === 0) return
  throw new SystemError(
    /permission denied/i.test(stderr) ? 'EACCES' : /not permitted/i.test(stderr) ? 'EPERM' : `exit ${status}`,
  )
}

const CODES: Record<number, string> = { 1: 'EPERM', 13: 'EACCES', 38: 'ENOSYS' }
const NUMBERS = {
  x64: { ptrace: 101, setxattr: 188, unshare: 272, io_uring_setup: 425 },
  arm64: { ptrace: 117, setxattr: 5, unshare: 97, io_uring_setup: 425 },
}
const PTRACE_SEIZE = 0x4206n
/** The one flag that needs no privilege: the call as such is what the jail refuses. */
const CLONE_FILES = 0x400n

async function systemCall(name: keyof typeof NUMBERS.x64, ...args: bigint[]): Promise<void> {
  const { dlopen, read } = await import('bun:ffi')
  const { symbols } = dlopen('libc.so.6', {
    syscall: { args: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64'], returns: 'i64' },
    __errno_location: { args: [], returns: 'ptr' },
  })
  const number = NUMBERS[process.arch === 'arm64' ? 'arm64' : 'x64'][name]
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n] = args
  if (Number(symbols.syscall(BigInt(number), a, b, c, d, e)) !== -1) return
  const location = symbols.__errno_location()
  const errno = location === null ? 0 : read.i32(location, 0)
  throw new SystemError(CODES[errno] ?? `errno ${errno}`)
}

async function attribute(path: string): Promise<void> {
  const { ptr } = await import('bun:ffi')
  const [file, name, value] = [path, 'user.reeve', 'x'].map((text) => Buffer.from(`${text}\0`))
  if (!file || !name || !value) return
  await systemCall('setxattr', BigInt(ptr(file)), BigInt(ptr(name)), BigInt(ptr(value)), 1n, 0n)
}
