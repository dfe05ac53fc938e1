import { type ConfigMap, configMap as configMapKind } from '../api/kinds/configMap.ts';
import { namespace as namespaceKind } from '../api/kinds/namespace.ts';
import { serviceAccount as serviceAccountKind } from '../api/kinds/serviceAccount.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Context, runController, source } from './controller.ts';

const rootCertificateName = 'kube-root-ca.crt';
const rootCertificateAnnotations = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as ' +
    'the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of ' +
    'Kubernetes clusters.',
};

/** Sees to it that each namespace has the service account `default` and the cluster's certificate authority. */
export function run(context: Context, options: { caPem: string }): Running {
  const { client, informers } = context;
  const namespaces = informers.of(namespaceKind);
  const accounts = informers.of(serviceAccountKind);
  const configMaps = informers.of(configMapKind);

  async function reconcile(namespace: string): Promise<undefined> {
    const owner = namespaces.get(namespace);
    if (!owner || owner.metadata?.deletionTimestamp) return;
    if (!accounts.get(`${namespace}/default`)) {
      const created = client.create(serviceAccountKind, { metadata: { name: 'default', namespace } });
      await created.catch(ignoreExisting);
    }
    const wanted: ConfigMap = {
      metadata: { name: rootCertificateName, namespace, annotations: rootCertificateAnnotations },
      data: { 'ca.crt': options.caPem },
    };
    const present = configMaps.get(`${namespace}/${rootCertificateName}`);
    if (!present) await client.create(configMapKind, wanted).catch(ignoreExisting);
    else if (present.data?.['ca.crt'] !== options.caPem) {
      await client.update(configMapKind, { ...present, data: wanted.data! });
    }
  }

  return runController(context, {
    name: 'service-account',
    sources: [
      source(namespaceKind, ({ key, type }) => (type === 'deleted' ? [] : [key])),
      source(serviceAccountKind, ({ type, object: { metadata } }) =>
        type === 'deleted' && metadata?.name === 'default' ? [metadata.namespace ?? ''] : [],
      ),
      source(configMapKind, ({ type, object: { metadata } }) =>
        type !== 'added' && metadata?.name === rootCertificateName ? [metadata.namespace ?? ''] : [],
      ),
    ],
    reconcile,
  });
}

/** Made by someone else meanwhile, or the namespace is on its way out. */
function ignoreExisting(error: unknown): void {
  if (isStatus(error, 'AlreadyExists') || isStatus(error, 'NotFound')) return;
  // A quota that is not counted yet refuses too: that passes, so it is tried again.
  if (isStatus(error, 'Forbidden') && /being terminated/.test(messageOf(error))) return;
  throw error;
}
