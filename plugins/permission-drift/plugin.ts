import { definePlugin } from '../../agent/contract/mod.ts'
import { window } from './cause/command-window.ts'
import { check } from './check.ts'
import { accept } from './commands/accept.ts'
import { diff } from './commands/diff.ts'
import { exportBaseline } from './commands/export.ts'
import { history } from './commands/history.ts'
import { importRules } from './commands/import.ts'
import { show } from './commands/show.ts'
import { config } from './config.ts'
import { permissions } from './permissions.ts'
import { apply } from './repair/apply.ts'
import { plan } from './repair/command-plan.ts'
import { undo } from './repair/command-undo.ts'
import { watchPlan } from './watch/plan.ts'

export default definePlugin({
  name: 'permission-drift',
  summary:
    'Finds what is not as a policy or a baseline says: permissions, owners, contents, and puts permissions back',
  defaults: { schedule: '*/15 * * * *', timeout: '15m' },
  rules: {
    'type-differs': {
      means: 'Something of another kind is in its place, such as a link',
      severity: 'critical',
    },
    'owner-differs': { means: 'It belongs to another user than the policy says', severity: 'critical' },
    'group-differs': { means: 'It belongs to another group than the policy says', severity: 'warning' },
    'mode-differs': { means: 'Its permissions are not those of the policy', severity: 'critical' },
    'set-id-differs': {
      means: 'It is setuid or setgid and should not be, or the other way round',
      severity: 'critical',
    },
    'acl-differs': { means: 'It has another access control list than the policy says', severity: 'warning' },
    'capabilities-differ': {
      means: 'It has other file capabilities than the policy says',
      severity: 'critical',
    },
    'xattr-differs': { means: 'It has another extended attribute than the policy says', severity: 'warning' },
    'flags-differ': {
      means: 'It is immutable and should not be, or the other way round',
      severity: 'warning',
    },
    'target-differs': { means: 'The link leads elsewhere than the policy says', severity: 'warning' },
    'content-differs': { means: 'Its contents are not those of the policy', severity: 'critical' },
    missing: { means: 'A path of the policy is not there', severity: 'warning' },
    'no-match': { means: 'A pattern of the policy matches nothing', severity: 'warning' },
    new: { means: 'It is not in the baseline', severity: 'warning' },
    removed: { means: 'It is in the baseline and not there any more', severity: 'warning' },
    renamed: { means: 'It has another name or place than in the baseline', severity: 'warning' },
    changed: { means: 'It differs from the baseline', severity: 'warning' },
    'set-id-program': { means: 'A setuid or setgid program that is not accepted', severity: 'critical' },
    'program-with-capabilities': {
      means: 'A program with file capabilities that are not accepted',
      severity: 'critical',
    },
    'world-writable': { means: 'Everybody can write it', severity: 'warning' },
    'no-owner': { means: 'It belongs to no known user or group', severity: 'warning' },
    'writable-path': { means: 'Others can write to a place in the PATH of a user', severity: 'critical' },
    'writable-program': {
      means: 'Others can write a program that a unit or cron job of root runs',
      severity: 'critical',
    },
    'baseline-missing': { means: 'A baseline that was there is gone', severity: 'critical' },
    'baseline-tampered': { means: 'A baseline is not the one that reeve wrote', severity: 'critical' },
    'more-findings': { means: 'There are more findings than are listed one by one', severity: 'warning' },
    'repair-contested': {
      means: 'A repair did not hold for an hour, and is not repeated',
      severity: 'critical',
    },
    'repair-interrupted': { means: 'A run was cut off while it repaired', severity: 'warning' },
    'repair-refused': { means: 'An entry could not be repaired safely', severity: 'warning' },
  },
  config,
  permissions,
  seesActions: true,
  watch: watchPlan,
  check,
  apply,
  commands: {
    show,
    diff,
    accept,
    history,
    export: exportBaseline,
    import: importRules,
    window,
    plan,
    undo,
  },
})
