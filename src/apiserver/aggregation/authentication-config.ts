import type { ConfigMap } from '../../api/kinds/configMap.ts';
import type { FrontProxy } from './remote.ts';

export const authenticationConfigName = 'extension-apiserver-authentication';

/**
 * What other API servers read to know whom to believe: clients with certificates of the cluster's authority, and this
 * server, which names who asks.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/
 */
export function authenticationConfig({ clientCaPem, caPem, allowedNames }: FrontProxy): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: authenticationConfigName, namespace: 'kube-system' },
    data: {
      'client-ca-file': clientCaPem,
      'requestheader-allowed-names': JSON.stringify(allowedNames),
      'requestheader-client-ca-file': caPem,
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    },
  };
}
