import { parsePrefix, z } from '../../agent/contract/mod.ts'
import { REACHES } from './reach.ts'

const port = z.union([
  z.int().min(1).max(65_535),
  z.string().regex(/^\d{1,5}-\d{1,5}$/, 'wanted a port, or a range such as 8000-8099'),
])

const source = z
  .string()
  .refine((text) => parsePrefix(text) !== undefined, 'wanted an address or a prefix such as 10.0.0.0/8')

export const configSchema = z.strictObject({
  allow: z
    .array(
      z.strictObject({
        port: port.describe('Port, or a range such as "8000-8099"'),
        protocol: z.enum(['tcp', 'udp']).default('tcp').describe('Protocol of the port'),
        reach: z
          .enum(REACHES)
          .default('anywhere')
          .describe(
            '`loopback`: nobody but this host. `private`: private networks. `sources`: only these. `anywhere`: anyone',
          ),
        sources: z
          .array(source)
          .default([])
          .describe('With `sources`: addresses and prefixes that may reach it, and no others'),
        rateLimited: z
          .boolean()
          .default(false)
          .describe('Whether the packet filter must limit how often one address may connect'),
        service: z.string().optional().describe('What it is, for the reader'),
      }),
    )
    .default([])
    .describe('Ports, and how far away somebody may be who can reach them'),
  anywhere: z
    .array(port)
    .default([])
    .describe('For short: TCP ports that anyone may reach. What `allow` says of a port goes before'),
  others: z
    .enum(['finding', 'ok'])
    .default('finding')
    .describe('What it is when a port that is not in the list can be reached from elsewhere'),
  firewall: z
    .enum(['required', 'optional'])
    .default('optional')
    .describe('Whether this host must have a packet filter for what comes in'),
  udp: z.boolean().default(true).describe('Look at UDP, too'),
})

export type Config = z.output<typeof configSchema>
export type Allowance = Config['allow'][number]
