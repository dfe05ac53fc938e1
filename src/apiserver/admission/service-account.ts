import type { Pod } from '../../api/kinds/pod.ts';
import type { ServiceAccount } from '../../api/kinds/serviceAccount.ts';
import type { AdmissionPlugin } from './chain.ts';
import { only } from './handles.ts';
import { refused } from './refusal.ts';

/** Where programs look for the token, the cluster's certificate and their namespace. */
export const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
/** An hour, and a little that says who asked. */
const expirationSeconds = 3607;
const defaultMode = 0o644;
const defaultAccount = 'default';

export type AccountOf = (namespace: string, name: string) => ServiceAccount | undefined;

/**
 * Gives a new pod its service account's pull secrets and token. The account `default` may be missing: its controller
 * is about to make it.
 */
export function serviceAccountPlugin(accountOf: AccountOf): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    handles: only('pods', 'CREATE'),
    mutate(request) {
      const pod = request.object as Pod;
      const { spec } = pod;
      if (!spec) return;
      const name = spec.serviceAccountName || spec.serviceAccount || defaultAccount;
      spec.serviceAccountName = name;
      spec.serviceAccount = name;
      const account = accountOf(request.namespace!, name);
      if (!account && name !== defaultAccount) {
        const what = `${request.namespace}/${name}`;
        throw refused(
          request,
          `error looking up service account ${what}: serviceaccount "${name}" not found`,
        );
      }
      if ((spec.imagePullSecrets ?? []).length === 0 && account?.imagePullSecrets?.length) {
        spec.imagePullSecrets = structuredClone(account.imagePullSecrets);
      }
      if (spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true) mount(pod);
    },
  };
}

/** Adds the volume, and its mount in every container that has nothing at its place. */
function mount({ spec }: Pod): void {
  const lacking = [...(spec!.initContainers ?? []), ...(spec!.containers ?? [])].filter(
    ({ volumeMounts = [] }) => !volumeMounts.some((one) => one.mountPath === mountPath),
  );
  if (lacking.length === 0) return;
  const name = volumePrefix + suffix();
  for (const container of lacking) {
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, mountPath, readOnly: true }];
  }
  const sources = [
    { serviceAccountToken: { expirationSeconds, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: {
        items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
      },
    },
  ];
  spec!.volumes = [...(spec!.volumes ?? []), { name, projected: { sources, defaultMode } }];
}

const letters = 'bcdfghjklmnpqrstvwxz2456789';

/** A name that is likely to be free, and no secret. */
function suffix(): string {
  let text = '';
  while (text.length < 5) text += letters[Math.floor(Math.random() * letters.length)];
  return text;
}
