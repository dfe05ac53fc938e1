import { pod } from '../../api/kinds/pod.ts';
import type { ClusterConnection } from '../cluster-connection.ts';
import { namespace } from './application.ts';

const linesEach = 12;

/** The last lines that each pod of the application wrote: when the demo fails it ends, and nobody can ask later. */
export async function lastPodLines(cluster: ClusterConnection): Promise<string> {
  const { items } = await cluster.client.list(pod, { namespace });
  const tails = await Promise.all(
    items.map(async ({ metadata }) => describe(metadata!.name!, await readTail(cluster, metadata!.name!))),
  );
  return tails.join('\n');
}

function describe(name: string, lines: string): string {
  const text = lines.trimEnd();
  return text === '' ? `    ${name} wrote nothing` : `    ${name}\n${text.replaceAll(/^/gm, '      ')}`;
}

async function readTail({ transport }: ClusterConnection, name: string): Promise<string> {
  const answer = await transport({
    method: 'GET',
    path: `/api/v1/namespaces/${namespace}/pods/${name}/log`,
    query: new URLSearchParams({ tailLines: String(linesEach) }),
    headers: {},
  });
  if (answer.kind !== 'bytes') return 'its log cannot be had';
  return Buffer.concat(await Array.fromAsync(answer.bytes)).toString();
}
