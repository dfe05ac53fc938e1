import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type KubeconfigCluster, readKubeconfig } from '../identity/kubeconfig.ts';
import { registryFetch } from '../node/images/registry-fetch.ts';
import type { RegistryEndpoint } from '../oci/registry-client.ts';

/** The kubeconfig that kubectl would take: `$KUBECONFIG`'s first, else `~/.kube/config`. */
export function defaultKubeconfig(): string {
  const [first] = (process.env.KUBECONFIG ?? '').split(delimiter);
  return first || join(homedir(), '.kube', 'config');
}

/** The registry that a cluster's API server serves, with a kubeconfig's credentials. */
export async function clusterRegistry(kubeconfig: string): Promise<RegistryEndpoint> {
  const cluster = await readKubeconfig(kubeconfig);
  return { url: cluster.server, fetch: registryFetch({ caPem: cluster.caPem, credentials: () => cluster }) };
}

export type { KubeconfigCluster };
