import type { IncomingMessage } from 'node:http';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { messageOf, StatusError, type StatusReason } from '../../base/errors.ts';
import type { Call, Context } from '../context.ts';
import { badRequest, notFound } from '../failures.ts';
import { keyOf, objectOf } from '../stored.ts';

/** How to reach a node's kubelet API. */
export interface KubeletConnection {
  /** The Node's InternalIP where absent. */
  host?: string;
  /** The Node's `status.daemonEndpoints.kubeletEndpoint.Port` where absent. */
  port?: number;
  /** The authority that signed the kubelet's certificate. */
  caPem: string;
  /** The API server's client certificate. */
  certPem: string;
  keyPem: string;
}

export type KubeletDial = (node: Node) => KubeletConnection | Promise<KubeletConnection>;

const nodes = { group: '', plural: 'nodes', kind: 'Node', namespaced: false };
const passedOn = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
  'stream',
];
const connectTimeoutMs = 10_000;
const failureBytesMax = 64 * 1024;

/** Answers a GET of a container's log with the bytes that the pod's node sends. */
export async function readLog(
  context: Context,
  call: Call,
  dial: KubeletDial | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const stored = context.store.get(keyOf(call.resource.kind, call.info.namespace, call.info.name!));
  if (!stored) throw notFound(call.resource.kind, call.info.name!);
  const pod = objectOf(stored) as Pod;
  const container = containerOf(pod, call.request.query.get('container') ?? '');
  const nodeName = pod.spec?.nodeName;
  if (!nodeName) return nothing();
  const query = new URLSearchParams();
  for (const name of passedOn) {
    const value = call.request.query.get(name);
    if (value !== null) query.set(name, value);
  }
  const { namespace, name } = pod.metadata!;
  const path = `/containerLogs/${[namespace!, name!, container].map(encodeURIComponent).join('/')}?${query}`;
  const response = await getFromKubelet(
    await kubeletRequest(context, dial, nodeName, path),
    call.request.signal,
  );
  if (response.statusCode !== 200) throw await failureOf(response);
  return response;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** The container that is meant; kubectl users know these texts. */
export function containerOf(pod: Pod, asked: string): string {
  const initContainers = (pod.spec?.initContainers ?? []).map(({ name }) => name);
  const containers = (pod.spec?.containers ?? []).map(({ name }) => name);
  const ephemeral = (pod.spec?.ephemeralContainers ?? []).map((each) => each.name);
  const name = pod.metadata!.name!;
  if (asked !== '') {
    if ([...initContainers, ...containers, ...ephemeral].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  if (containers.length === 1) return containers[0]!;
  const choice = `choose one of: [${containers.join(' ')}]`;
  const init =
    initContainers.length > 0 ? ` or one of the init containers: [${initContainers.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, ${choice}${init}`);
}

/** Where a request to a kubelet goes and what it shows, as `https.request` takes it. */
export interface KubeletRequest {
  url: string;
  host: string;
  port: number;
  path: string;
  ca: string;
  cert: string;
  key: string;
}

/** Addresses a path of a node's kubelet. */
export async function kubeletRequest(
  context: Pick<Context, 'store'>,
  dial: KubeletDial | undefined,
  nodeName: string,
  path: string,
): Promise<KubeletRequest> {
  const node = context.store.get(keyOf(nodes, undefined, nodeName))?.value as Node | undefined;
  if (!node) throw notFound(nodes, nodeName);
  if (!dial)
    throw new StatusError('ServiceUnavailable', 'this server was started without a way to reach its nodes');
  const connection = await dial(node);
  const host = connection.host ?? node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const port = connection.port ?? node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (!host || !port) {
    throw new StatusError(
      'InternalError',
      `node ${node.metadata!.name} has not reported the address of its kubelet`,
    );
  }
  const { caPem, certPem, keyPem } = connection;
  const url = `https://${host}:${port}${path}`;
  return { url, host, port, path, ca: caPem, cert: certPem, key: keyPem };
}

/** Sends a GET to a kubelet; resolves when its answer begins. */
export async function getFromKubelet(
  { url, ...options }: KubeletRequest,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const { request } = await import('node:https');
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, agent: false, ...(signal && { signal }) }, resolve);
    sent.setTimeout(connectTimeoutMs, () =>
      sent.destroy(new Error(`no answer within ${connectTimeoutMs} ms`)),
    );
    sent.on('response', () => sent.setTimeout(0));
    sent.on('error', (cause) => {
      reject(new StatusError('InternalError', `Get "${url}": ${messageOf(cause)}`, { cause }));
    });
    sent.end();
  });
}

async function failureOf(response: IncomingMessage): Promise<StatusError> {
  let text = '';
  for await (const chunk of response) {
    text += chunk;
    if (text.length > failureBytesMax) break;
  }
  const reasons: Record<number, StatusReason> = { 400: 'BadRequest', 404: 'NotFound', 403: 'Forbidden' };
  const reason = reasons[response.statusCode ?? 0] ?? 'InternalError';
  return new StatusError(reason, text.trim() || `the kubelet answered ${response.statusCode}`);
}
