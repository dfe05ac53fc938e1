import { text } from 'node:stream/consumers';
import { ContentStore } from '../oci/content-store.ts';
import { push } from '../oci/push.ts';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import type { RegistryEndpoint } from '../oci/registry-client.ts';
import { connectCluster, defaultKubeconfig } from './cluster-connection.ts';
import type { DataDir } from './data-dir.ts';

export interface PushRequest {
  to?: string;
  username?: string;
  passwordStdin?: true;
  plainHttp?: true;
  kubeconfig?: string;
  dataDir: DataDir;
  report(name: string, digest: string, bytesSent: number): void;
}

/** Sends `name` from the data folder's store to the registry that `to` names, else to the kubeconfig's cluster. */
export async function pushFromDataDir(name: string, request: PushRequest): Promise<void> {
  const store = await ContentStore.open(request.dataDir.registry);
  const source = await store.resolve(parseReference(name));
  if (!source)
    throw new Error(
      `"${name}" is not in ${request.dataDir.registry}: build it with \`selvage build\` or train it with \`selvage train\` first`,
    );
  const target = parseReference(request.to ?? name);
  const registry = await endpointOf(target, request);
  const { descriptor, bytesSent } = await push({
    reference: target,
    registry,
    from: store,
    source,
    onProgress: ({ bytes, bytesTotal }) => {
      if (process.stderr.isTTY)
        process.stderr.write(`\r${Math.round((100 * bytes) / Math.max(1, bytesTotal))} %`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r');
  request.report(formatReference(target), descriptor.digest, bytesSent);
}

async function endpointOf(target: Reference, request: PushRequest): Promise<RegistryEndpoint> {
  if (target.host === undefined)
    return (await connectCluster(request.kubeconfig ?? defaultKubeconfig())).registry;
  const url = `${request.plainHttp ? 'http' : 'https'}://${target.host}`;
  if (!request.username) return { url };
  if (!request.passwordStdin)
    throw new Error(
      '--username needs --password-stdin, so that the password is not in the list of processes',
    );
  return { url, credentials: { username: request.username, password: (await text(process.stdin)).trim() } };
}
