import { absolutePath, duration, z } from '../../agent/contract/mod.ts'

const account = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/, 'wanted the name of a user or group')

/** "SHA256:…", as `ssh-keygen -l` prints it. */
export const fingerprint = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'wanted a fingerprint such as SHA256:… (ssh-keygen -l -f FILE)')
  .transform((text) => text.replace(/=$/, ''))

export const configSchema = z.strictObject({
  serviceUsers: z
    .array(account)
    .max(200)
    .default([])
    .describe(
      'Users of services: they must be there, with a system uid, no shell to log in, no password, no privileged group, and a home that others cannot write to',
    ),
  privilegedGroups: z
    .array(account)
    .max(100)
    .default('root sudo wheel admin docker podman lxd incus-admin libvirt disk shadow'.split(' '))
    .describe('Groups whose members can become root; no service may be in one, unless `groups` allows it'),
  groups: z
    .record(account, z.array(account).max(500))
    .default({})
    .describe('Groups with all the members that they may have, such as `docker: [deploy]`'),
  passwordLength: z
    .number()
    .int()
    .min(1)
    .max(128)
    .optional()
    .describe('What a new password must have at least in characters (pwquality). Default: not judged'),
  passwordMaxAge: duration
    .optional()
    .describe('After what time passwords must be changed (shadow, login.defs). Default: not judged'),
  authorizedKeys: z
    .array(absolutePath)
    .max(50)
    .default(['/root/.ssh/authorized_keys{,2}', '/home/*/.ssh/authorized_keys{,2}'])
    .describe('Files of the keys that let in over SSH, or patterns'),
  allowedKeys: z
    .array(
      z.union([
        fingerprint,
        z.strictObject({
          key: fingerprint.describe('Fingerprint of the key'),
          users: z.array(account).min(1).max(100).describe('Users who may be entered by it'),
        }),
      ]),
    )
    .max(1000)
    .optional()
    .describe('Fingerprints of the keys that may let somebody in, for all users or for some. Default: any'),
  revokedKeys: z
    .array(fingerprint)
    .max(1000)
    .default([])
    .describe('Fingerprints of keys that leaked, or belong to people who left: none may be anywhere'),
  sudoWithoutPassword: z
    .array(z.string().regex(/^%?[A-Za-z_][A-Za-z0-9_.-]{0,63}$/, 'wanted a user, or %group'))
    .max(100)
    .default([])
    .describe('Users and %groups who may do anything by sudo without a password'),
})

export type Config = z.output<typeof configSchema>
