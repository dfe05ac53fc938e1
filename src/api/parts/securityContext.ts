import { distinct, relativePath } from '../checks.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { boolean, integer, list, object, oneOf, required, string, type TypeOf } from '../schema.ts';

export const capabilities = object('io.k8s.api.core.v1.Capabilities', {
  add: list(string(), { doc: 'Capabilities that it gets.' }),
  drop: list(string(), { doc: 'Capabilities that it loses.' }),
});
export type Capabilities = TypeOf<typeof capabilities>;

export const seLinuxOptions = object('io.k8s.api.core.v1.SELinuxOptions', {
  level: string(),
  role: string(),
  type: string(),
  user: string(),
});
export type SELinuxOptions = TypeOf<typeof seLinuxOptions>;

export const seccompProfile = object(
  'io.k8s.api.core.v1.SeccompProfile',
  {
    localhostProfile: string({ doc: 'The profile file on the node.' }),
    type: required(oneOf(['Localhost', 'RuntimeDefault', 'Unconfined'], { doc: 'Which profile.' })),
  },
  {
    check({ type, localhostProfile }, at, report) {
      const profileAt = at.child('localhostProfile');
      if (type !== 'Localhost') {
        const why = 'can only be set when seccomp type is Localhost';
        if (localhostProfile !== undefined) report.invalid(profileAt, localhostProfile, why);
      } else if (localhostProfile === undefined) {
        report.required(profileAt, 'must be set when seccomp type is Localhost');
      } else relativePath(localhostProfile, profileAt, report);
    },
  },
);
export type SeccompProfile = TypeOf<typeof seccompProfile>;

export const appArmorProfile = object(
  'io.k8s.api.core.v1.AppArmorProfile',
  {
    localhostProfile: string(),
    type: required(oneOf(['Localhost', 'RuntimeDefault', 'Unconfined'])),
  },
  {
    check({ type, localhostProfile }, at, report) {
      const profileAt = at.child('localhostProfile');
      if (type !== 'Localhost') {
        const why = 'can only be set when AppArmor type is Localhost';
        if (localhostProfile !== undefined) report.invalid(profileAt, localhostProfile, why);
      } else if (!localhostProfile) {
        report.required(profileAt, 'must be set when AppArmor type is Localhost');
      } else if (localhostProfile !== localhostProfile.trim()) {
        report.invalid(profileAt, localhostProfile, 'must not be padded with whitespace');
      }
    },
  },
);
export type AppArmorProfile = TypeOf<typeof appArmorProfile>;

export const windowsSecurityContextOptions = object('io.k8s.api.core.v1.WindowsSecurityContextOptions', {
  gmsaCredentialSpec: string(),
  gmsaCredentialSpecName: string(),
  hostProcess: boolean(),
  runAsUserName: string(),
});
export type WindowsSecurityContextOptions = TypeOf<typeof windowsSecurityContextOptions>;

export const securityContext = object(
  'io.k8s.api.core.v1.SecurityContext',
  {
    allowPrivilegeEscalation: boolean({ doc: 'Whether it may gain rights that its parent lacks.' }),
    appArmorProfile,
    capabilities,
    privileged: boolean({ doc: 'Whether it may do what root on the node may.' }),
    procMount: oneOf(['Default', 'Unmasked']),
    readOnlyRootFilesystem: boolean({ doc: 'Whether its root file system is read-only.' }),
    runAsGroup: integer({ doc: 'The group id that it runs with.', min: 0, max: 2147483647 }),
    runAsNonRoot: boolean({ doc: 'Whether running as root is refused.' }),
    runAsUser: integer({ doc: 'The user id that it runs as.', min: 0, max: 2147483647 }),
    seLinuxOptions,
    seccompProfile,
    windowsOptions: windowsSecurityContextOptions,
  },
  { check: checkEscalation },
);
export type SecurityContext = TypeOf<typeof securityContext>;

interface Rights {
  allowPrivilegeEscalation?: boolean;
  privileged?: boolean;
  capabilities?: Capabilities;
}

/** Who has every right already cannot be kept from getting more. */
function checkEscalation(context: Rights, at: Path, report: Report): void {
  if (context.allowPrivilegeEscalation !== false) return;
  const cannot = 'cannot set `allowPrivilegeEscalation` to false and';
  if (context.privileged) report.invalid(at, context, `${cannot} \`privileged\` to true`);
  if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
    report.invalid(at, context, `${cannot} \`capabilities.Add\` CAP_SYS_ADMIN`);
  }
}

const sysctlPattern = String.raw`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`;
const sysctlName = new RegExp(sysctlPattern);
const sysctlNameMax = 253;

export const sysctl = object('io.k8s.api.core.v1.Sysctl', {
  name: required(
    string({
      doc: "The parameter's name.",
      check(name, at, report) {
        if (name.length <= sysctlNameMax && sysctlName.test(name)) return;
        const why = `must have at most ${sysctlNameMax} characters and match regex ${sysctlPattern}`;
        report.invalid(at, name, why);
      },
    }),
  ),
  value: required(string({ doc: 'Its value.', mayBeEmpty: true })),
});
export type Sysctl = TypeOf<typeof sysctl>;

export const podSecurityContext = object('io.k8s.api.core.v1.PodSecurityContext', {
  appArmorProfile,
  fsGroup: integer({ doc: 'The group that volumes belong to.', min: 0, max: 2147483647 }),
  fsGroupChangePolicy: oneOf(['OnRootMismatch', 'Always']),
  runAsGroup: integer({ doc: 'The group id that it runs with.', min: 0, max: 2147483647 }),
  runAsNonRoot: boolean({ doc: 'Whether running as root is refused.' }),
  runAsUser: integer({ doc: 'The user id that it runs as.', min: 0, max: 2147483647 }),
  seLinuxChangePolicy: string(),
  seLinuxOptions,
  seccompProfile,
  supplementalGroups: list(integer({ min: 0, max: 2147483647 }), { doc: 'Further group ids.' }),
  supplementalGroupsPolicy: oneOf(['Merge', 'Strict']),
  sysctls: list(sysctl, { doc: 'Kernel parameters.', check: distinct<Sysctl>('name') }),
  windowsOptions: windowsSecurityContextOptions,
});
export type PodSecurityContext = TypeOf<typeof podSecurityContext>;
