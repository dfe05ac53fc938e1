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

export const seccompProfile = object('io.k8s.api.core.v1.SeccompProfile', {
  localhostProfile: string({ doc: 'The profile file on the node.' }),
  type: required(oneOf(['Localhost', 'RuntimeDefault', 'Unconfined'], { doc: 'Which profile.' })),
});
export type SeccompProfile = TypeOf<typeof seccompProfile>;

export const appArmorProfile = object('io.k8s.api.core.v1.AppArmorProfile', {
  localhostProfile: string(),
  type: required(oneOf(['Localhost', 'RuntimeDefault', 'Unconfined'])),
});
export type AppArmorProfile = TypeOf<typeof appArmorProfile>;

export const windowsSecurityContextOptions = object('io.k8s.api.core.v1.WindowsSecurityContextOptions', {
  gmsaCredentialSpec: string(),
  gmsaCredentialSpecName: string(),
  hostProcess: boolean(),
  runAsUserName: string(),
});
export type WindowsSecurityContextOptions = TypeOf<typeof windowsSecurityContextOptions>;

export const securityContext = object('io.k8s.api.core.v1.SecurityContext', {
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
});
export type SecurityContext = TypeOf<typeof securityContext>;

export const sysctl = object('io.k8s.api.core.v1.Sysctl', {
  name: required(string({ doc: "The parameter's name." })),
  value: required(string({ doc: 'Its value.' })),
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
  supplementalGroups: list(integer(), { doc: 'Further group ids.' }),
  supplementalGroupsPolicy: oneOf(['Merge', 'Strict']),
  sysctls: list(sysctl, { doc: 'Kernel parameters.' }),
  windowsOptions: windowsSecurityContextOptions,
});
export type PodSecurityContext = TypeOf<typeof podSecurityContext>;
