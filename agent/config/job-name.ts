import { z } from 'zod'

/** Name of a job, a channel, a profile. */
export const jobName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'wanted a name of lower-case letters, digits and "-"')
