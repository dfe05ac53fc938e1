import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Client, createClient, httpTransport } from '../client/index.ts';
import type { Transport } from '../client/transport.ts';
import { readKubeconfig } from '../identity/kubeconfig.ts';
import { registryFetch } from '../node/images/registry-fetch.ts';
import type { RegistryEndpoint } from '../oci/registry-client.ts';

/** A cluster as a kubeconfig describes it: its API and the registry on the same port. */
export interface ClusterConnection {
  server: string;
  client: Client;
  /** For what a typed client doesn't have, such as logs. */
  transport: Transport;
  registry: RegistryEndpoint;
}

/** The kubeconfig that kubectl would take: `$KUBECONFIG`'s first, else `~/.kube/config`. */
export function defaultKubeconfig(): string {
  const [first] = (process.env.KUBECONFIG ?? '').split(delimiter);
  return first || join(homedir(), '.kube', 'config');
}

export async function connectCluster(kubeconfig: string): Promise<ClusterConnection> {
  const { caPem, ...connection } = await readKubeconfig(kubeconfig);
  const { server } = connection;
  if (!caPem)
    throw new Error(
      `${kubeconfig} names no certificate authority for ${server}: it was not written by \`selvage up\``,
    );
  const transport = httpTransport({ ...connection, caPem });
  return {
    server,
    client: createClient(transport),
    transport,
    registry: { url: server, fetch: registryFetch({ caPem, credentials: () => connection }) },
  };
}
