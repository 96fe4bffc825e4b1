/** Host and port of "127.0.0.1:7338", "[::1]:7338" or "localhost:7338"; undefined for anything else. */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text)
  if (!match) return undefined
  const port = Number(match[3])
  return port <= 65_535 ? { host: (match[1] ?? match[2]) as string, port } : undefined
}

export function isHostPort(text: string): boolean {
  return parseHostPort(text) !== undefined
}

/** Whether a host is this machine only: 127.0.0.0/8, ::1 or "localhost". */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
