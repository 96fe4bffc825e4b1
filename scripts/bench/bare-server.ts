// The yardstick of scripts/bench/daemon.ts: the least that a compiled Bun server can be.
const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('ok') })
console.log(server.url.origin)
