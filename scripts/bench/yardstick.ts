import { existsSync } from 'node:fs'

export interface Measurement {
  seconds: number
  /** Of the processor, by the program and by those that it waited for. */
  cpuSeconds: number
  /** Largest resident set of the process and of those that it waited for. */
  rssBytes: number
  exitCode: number | null
  stderr: string
}

/** Runs a program to its end, at low priority, and says what it took. */
export async function measure(argv: string[]): Promise<Measurement> {
  const started = performance.now()
  const child = Bun.spawn(['nice', ...argv], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const stderr = await new Response(child.stderr).text()
  const exitCode = await child.exited
  const seconds = (performance.now() - started) / 1000
  const usage = child.resourceUsage()
  const cpuSeconds = Number(usage?.cpuTime.total ?? 0) / 1e6
  return { seconds, cpuSeconds, rssBytes: usage?.maxRSS ?? 0, exitCode, stderr }
}

/** The fastest of several measurements: the one that the rest of the machine disturbed least. */
export async function fastest(times: number, run: () => Promise<Measurement>): Promise<Measurement> {
  let best = await run()
  for (let time = 1; time < times; time++) {
    const next = await run()
    if (next.seconds < best.seconds) best = next
  }
  return best
}

/** The first of the programs that is installed. */
export function findProgram(...paths: string[]): string | undefined {
  return paths.find((path) => existsSync(path))
}

export function formatMeasurement(name: string, { seconds, rssBytes }: Measurement): string {
  return `${name.padEnd(34)} ${seconds.toFixed(2).padStart(8)} s ${(rssBytes / 1e6).toFixed(0).padStart(6)} MB`
}
