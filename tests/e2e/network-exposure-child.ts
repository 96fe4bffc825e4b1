// Runs in a network namespace of its own: makes an interface to the outside, loads rules, listens, and runs the job.
import { z } from 'zod'

const request = z
  .object({
    rules: z.string(),
    listen: z.array(z.object({ hostname: z.string(), port: z.number() })),
    run: z.array(z.string()),
  })
  .parse(await Bun.stdin.json())

function execute(command: string[], stdin = ''): void {
  const { exitCode, stderr } = Bun.spawnSync(command, { stdin: Buffer.from(stdin) })
  if (exitCode !== 0) throw new Error(`"${command.join(' ')}" ended with ${exitCode}: ${stderr}`)
}

for (const command of [
  'ip link set lo up',
  'ip link add out0 type veth peer name far0',
  'ip link set far0 up',
  'ip address add 192.0.2.10/24 dev out0',
  'ip link set out0 up',
  'ip route add default via 192.0.2.1',
]) {
  execute(command.split(' '))
}
if (request.rules) execute(['nft', '-f', '-'], request.rules)
const servers = request.listen.map((address) => Bun.listen({ ...address, socket: { data: () => {} } }))
const run = Bun.spawn(request.run, { stdout: 'inherit', stderr: 'inherit' })
process.exitCode = await run.exited
for (const server of servers) server.stop()
