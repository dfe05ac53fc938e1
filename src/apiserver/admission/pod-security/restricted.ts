import { settersOf } from './baseline.ts';
import { type Check, type Checked, named, namesWhere, plural, quoted } from './check.ts';

/** From this version on, what only Linux has is not asked of pods for Windows. */
const osMinor = 25;
const isWindows = ({ spec }: Checked) => spec.os?.name === 'windows';

const privilegeEscalation: Check = (pod) => {
  const names = namesWhere(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (names.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${named('container', names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: Check = (pod) => {
  const added = new Set<string>();
  const keeping = namesWhere(
    pod,
    ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'),
  );
  const adding = namesWhere(pod, ({ securityContext }) => {
    const wrong = (securityContext?.capabilities?.add ?? []).filter((each) => each !== 'NET_BIND_SERVICE');
    for (const each of wrong) added.add(each);
    return wrong.length > 0;
  });
  const details = [];
  if (keeping.length > 0) {
    details.push(`${named('container', keeping)} must set securityContext.capabilities.drop=["ALL"]`);
  }
  if (adding.length > 0) {
    const which = quoted([...added].sort());
    details.push(
      `${named('container', adding)} must not include ${which} in securityContext.capabilities.add`,
    );
  }
  return details.length > 0 ? { reason: 'unrestricted capabilities', detail: details.join('; ') } : undefined;
};

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

const volumes: Check = ({ spec }) => {
  const types = new Set<string>();
  const names = (spec.volumes ?? [])
    .filter(({ name: _name, ...sources }) => {
      const [type] = Object.keys(sources);
      if (type === undefined || allowedVolumes.includes(type)) return false;
      types.add(type);
      return true;
    })
    .map(({ name }) => name);
  if (names.length === 0) return undefined;
  const verb = names.length === 1 ? 'uses' : 'use';
  const what = plural('restricted volume type', types.size);
  return {
    reason: 'restricted volume types',
    detail: `${named('volume', names)} ${verb} ${what} ${quoted([...types].sort())}`,
  };
};

const runAsNonRoot: Check = (pod) => {
  const reason = 'runAsNonRoot != true';
  const ofPod = pod.spec.securityContext?.runAsNonRoot;
  const isRoot = namesWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  const setters = [
    ...(ofPod === false ? ['pod'] : []),
    ...(isRoot.length > 0 ? [named('container', isRoot)] : []),
  ];
  if (setters.length > 0) {
    return { reason, detail: `${setters.join(' and ')} must not set securityContext.runAsNonRoot=false` };
  }
  const silent = namesWhere(
    pod,
    ({ securityContext }) => !ofPod && securityContext?.runAsNonRoot === undefined,
  );
  if (silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${named('container', silent)} must set securityContext.runAsNonRoot=true`,
  };
};

const runAsUser: Check = (pod) => {
  const setters = settersOf(pod, (context) => context?.runAsUser === 0);
  return setters === undefined
    ? undefined
    : { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` };
};

const seccomp: Check = (pod) => {
  const reason = 'seccompProfile';
  const isUnconfined = (type: string | undefined) => type === 'Unconfined';
  const setters = settersOf(pod, (context) => isUnconfined(context?.seccompProfile?.type));
  if (setters !== undefined) {
    return { reason, detail: `${setters} must not set securityContext.seccompProfile.type to "Unconfined"` };
  }
  const ofPod = pod.spec.securityContext?.seccompProfile?.type;
  const silent = namesWhere(
    pod,
    ({ securityContext }) => ofPod === undefined && securityContext?.seccompProfile?.type === undefined,
  );
  if (silent.length === 0) return undefined;
  const what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
  return { reason, detail: `pod or ${named('container', silent)} ${what}` };
};

/** What the level asks beside `baseline`; those of the same name, up to the `_`, take a baseline check's place. */
export function restrictedChecks(minor: number): [id: string, check: Check][] {
  const onLinux =
    (check: Check): Check =>
    (pod) =>
      minor >= osMinor && isWindows(pod) ? undefined : check(pod);
  const since = (first: number, id: string, check: Check): [string, Check][] =>
    minor >= first ? [[id, check]] : [];
  return [
    ...since(8, 'allowPrivilegeEscalation', onLinux(privilegeEscalation)),
    ...since(22, 'capabilities_restricted', onLinux(capabilities)),
    ['restrictedVolumes', volumes],
    ['runAsNonRoot', runAsNonRoot],
    ...since(23, 'runAsUser', runAsUser),
    ...since(19, 'seccompProfile_restricted', onLinux(seccomp)),
  ];
}
