import type { SecurityContext } from '../../../api/parts/securityContext.ts';
import { type Check, type Checked, named, namesWhere, plural, quoted } from './check.ts';

const hostNamespaces: Check = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
  if (used.length === 0) return undefined;
  return { reason: 'host namespaces', detail: used.map((field) => `${field}=true`).join(', ') };
};

const privileged: Check = (pod) => {
  const names = namesWhere(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (names.length === 0) return undefined;
  return {
    reason: 'privileged',
    detail: `${named('container', names)} must not set securityContext.privileged=true`,
  };
};

const defaultCapabilities = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const capabilities: Check = (pod) => {
  const added = new Set<string>();
  const names = namesWhere(pod, ({ securityContext }) => {
    const wrong = (securityContext?.capabilities?.add ?? []).filter((each) => !defaultCapabilities.has(each));
    for (const each of wrong) added.add(each);
    return wrong.length > 0;
  });
  if (names.length === 0) return undefined;
  const which = quoted([...added].sort());
  return {
    reason: 'non-default capabilities',
    detail: `${named('container', names)} must not include ${which} in securityContext.capabilities.add`,
  };
};

const hostPathVolumes: Check = ({ spec }) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return names.length > 0 ? { reason: 'hostPath volumes', detail: named('volume', names) } : undefined;
};

const hostPorts: Check = (pod) => {
  const ports = new Set<number>();
  const names = namesWhere(pod, (container) => {
    const used = (container.ports ?? []).flatMap(({ hostPort }) => (hostPort ? [hostPort] : []));
    for (const port of used) ports.add(port);
    return used.length > 0;
  });
  if (names.length === 0) return undefined;
  const list = [...ports].map(String).sort().join(', ');
  const verb = names.length === 1 ? 'uses' : 'use';
  return {
    reason: 'hostPort',
    detail: `${named('container', names)} ${verb} ${plural('hostPort', ports.size)} ${list}`,
  };
};

const hostProcess: Check = (pod) => {
  const setters = settersOf(pod, (context) => context?.windowsOptions?.hostProcess === true);
  if (setters === undefined) return undefined;
  return {
    reason: 'hostProcess',
    detail: `${setters} must not set securityContext.windowsOptions.hostProcess=true`,
  };
};

const appArmor: Check = (pod) => {
  const prefix = 'container.apparmor.security.beta.kubernetes.io/';
  const isFine = (profile: string) =>
    profile === '' || profile === 'runtime/default' || profile.startsWith('localhost/');
  const wrong = Object.entries(pod.metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(prefix) && !isFine(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const setters = settersOf(pod, (context) => context?.appArmorProfile?.type === 'Unconfined');
  const details = [
    ...(setters === undefined ? [] : [`${setters} must not set AppArmor profile type to "Unconfined"`]),
    ...(wrong.length > 0 ? [wrong.join(', ')] : []),
  ];
  if (details.length === 0) return undefined;
  return { reason: plural('forbidden AppArmor profile', details.length), detail: details.join('; ') };
};

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];

const seLinux: Check = (pod) => {
  const [types, users, roles] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const setters = settersOf(pod, (context) => {
    const { type = '', user = '', role = '' } = context?.seLinuxOptions ?? {};
    const isWrongType = !seLinuxTypes.includes(type);
    if (isWrongType) types.add(type);
    if (user !== '') users.add(user);
    if (role !== '') roles.add(role);
    return isWrongType || user !== '' || role !== '';
  });
  if (setters === undefined) return undefined;
  const what = [
    ...(types.size > 0 ? [`${plural('type', types.size)} ${quoted([...types].sort())}`] : []),
    ...(users.size > 0 ? ['user may not be set'] : []),
    ...(roles.size > 0 ? ['role may not be set'] : []),
  ];
  return {
    reason: 'seLinuxOptions',
    detail: `${setters} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}`,
  };
};

const procMount: Check = (pod) => {
  const forbidden = new Set<string>();
  const names = namesWhere(pod, ({ securityContext }) => {
    const { procMount: mount } = securityContext ?? {};
    if (mount === undefined || mount === 'Default') return false;
    forbidden.add(mount);
    return true;
  });
  // Since 1.33 a pod with a user namespace of its own may; here as in 1.32.
  if (names.length === 0) return undefined;
  return {
    reason: 'procMount',
    detail: `${named('container', names)} must not set securityContext.procMount to ${quoted([...forbidden].sort())}`,
  };
};

const seccomp: Check = (pod) => {
  const isWrong = (context: Context | undefined) => context?.seccompProfile?.type === 'Unconfined';
  const setters = settersOf(pod, isWrong);
  if (setters === undefined) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${setters} must not set securityContext.seccompProfile.type to "Unconfined"`,
  };
};

const safeSysctls: [name: string, sinceMinor: number][] = [
  ['kernel.shm_rmid_forced', 0],
  ['net.ipv4.ip_local_port_range', 0],
  ['net.ipv4.tcp_syncookies', 0],
  ['net.ipv4.ping_group_range', 0],
  ['net.ipv4.ip_unprivileged_port_start', 0],
  ['net.ipv4.ip_local_reserved_ports', 27],
  ['net.ipv4.tcp_keepalive_time', 29],
  ['net.ipv4.tcp_fin_timeout', 29],
  ['net.ipv4.tcp_keepalive_intvl', 29],
  ['net.ipv4.tcp_keepalive_probes', 29],
  ['net.ipv4.tcp_rmem', 32],
  ['net.ipv4.tcp_wmem', 32],
];

const sysctls =
  (minor: number): Check =>
  ({ spec }) => {
    const safe = new Set(safeSysctls.filter(([, since]) => since <= minor).map(([name]) => name));
    const names = (spec.securityContext?.sysctls ?? [])
      .map(({ name }) => name)
      .filter((name) => !safe.has(name));
    return names.length > 0
      ? { reason: plural('forbidden sysctl', names.length), detail: names.sort().join(', ') }
      : undefined;
  };

type Context = Pick<
  SecurityContext,
  'seLinuxOptions' | 'seccompProfile' | 'windowsOptions' | 'appArmorProfile' | 'runAsUser'
>;

/** Who sets something: `pod`, `container "a"`, `pod and container "a"`. */
export function settersOf(pod: Checked, is: (context: Context | undefined) => boolean): string | undefined {
  const setters = is(pod.spec.securityContext) ? ['pod'] : [];
  const names = namesWhere(pod, ({ securityContext }) => is(securityContext));
  if (names.length > 0) setters.push(named('container', names));
  return setters.length > 0 ? setters.join(' and ') : undefined;
}

/** In the order of Kubernetes' check ids, which is that of the messages. */
export function baselineChecks(minor: number): [id: string, check: Check][] {
  return [
    ['appArmorProfile', appArmor],
    ['capabilities_baseline', capabilities],
    ['hostNamespaces', hostNamespaces],
    ['hostPathVolumes', hostPathVolumes],
    ['hostPorts', hostPorts],
    ['privileged', privileged],
    ['procMount', procMount],
    ['seLinuxOptions', seLinux],
    ...(minor >= 19 ? [['seccompProfile_baseline', seccomp] as [string, Check]] : []),
    ['sysctls', sysctls(minor)],
    ['windowsHostProcess', hostProcess],
  ];
}
