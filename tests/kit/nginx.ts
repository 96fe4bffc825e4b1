import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from './wait.ts'

/** Debian's nginx, or wherever PATH has one. */
export const NGINX_PROGRAM = Bun.which('nginx') ?? '/usr/sbin/nginx'

/** A configuration of nginx below a directory, with what keeps it there. `http` stands in its http block. */
export function nginxConfiguration(directory: string, http: string): string {
  mkdirSync(join(directory, 'tmp'), { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/tmp/${name};`)
    .join(' ')
  const path = join(directory, 'nginx.conf')
  writeFileSync(
    path,
    `daemon off; pid ${directory}/pid; error_log stderr; worker_processes 1;\n` +
      `events { worker_connections 64; }\nhttp { ${temporary} access_log off;\n${http}\n}\n`,
  )
  return path
}

/** `nginx -t` or `-T` on a configuration. */
export function askNginx(
  option: '-t' | '-T',
  path: string,
): { exitCode: number; stdout: string; stderr: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([NGINX_PROGRAM, option, '-e', 'stderr', '-c', path])
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
}

/** An nginx of its own, ready when one of its ports answers; ended by `using`. */
export async function startNginx(path: string, port: number): Promise<AsyncDisposable> {
  const child = Bun.spawn([NGINX_PROGRAM, '-e', 'stderr', '-c', path], { stdout: 'ignore', stderr: 'pipe' })
  const log = child.stderr.text()
  await waitUntil('nginx is ready', 10_000, async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${await log}`)
    return await fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' }).then(
      () => true,
      () => false,
    )
  })
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await child.exited
    },
  }
}

/** A port of loopback on which nobody listens at the moment. */
export function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}
