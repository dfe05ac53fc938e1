import type { KubeObject } from '../../api/object.ts';
import type { ApiResponse } from '../../client/transport.ts';
import type { ProxiedAnswer } from '../answer.ts';
import type { Call, Context } from '../context.ts';
import { noSuchPath } from '../failures.ts';
import { forward, type Passed } from './forward.ts';
import { forwardedHeaders } from './headers.ts';
import { incomingOf } from './incoming.ts';
import { proxyOptionKinds } from './is-proxied.ts';
import { locate, type Reach } from './locate.ts';
import { divideProxyPath } from './proxy-path.ts';

/**
 * Answers `pods/NAME/proxy/PATH`, and the same of Services and nodes, with what is said there.
 * Source: https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/
 */
export async function proxy(
  context: Context,
  call: Call,
  reach: Omit<Reach, 'store'>,
): Promise<ProxiedAnswer | ApiResponse> {
  const { method } = call.request;
  const { isBare, passed } = await passedOn(context, call, reach);
  if (isBare && ['GET', 'HEAD'].includes(method)) {
    const location = `${call.request.path}/${passed.incoming.search}`;
    return { code: 301, headers: { location }, kind: 'bytes', bytes: nothing() };
  }
  return forward(passed);
}

/** What a request becomes on its way; throws StatusError where it may not go, or there is nothing. */
export async function passedOn(
  context: Context,
  call: Call,
  reach: Omit<Reach, 'store'>,
): Promise<{ isBare: boolean; passed: Passed }> {
  const { info, request } = call;
  const { name: id, namespace } = info;
  const isNode = info.resource === 'nodes';
  if (id === undefined || (namespace === undefined) !== isNode) throw noSuchPath();
  const { asked, path, prefix, isBare } = divideProxyPath(request.path);
  const resource = info.resource as keyof typeof proxyOptionKinds;
  const object = { kind: proxyOptionKinds[resource], apiVersion: 'v1', ...(asked && { path: asked }) };
  await context.admission
    .begin(call, { operation: 'CONNECT', name: id, object: object as KubeObject, dryRun: false })
    ?.admit();
  const upstream = await locate(resource, { namespace, id }, { ...reach, store: context.store });
  const incoming = incomingOf(request);
  const headers = { ...forwardedHeaders(incoming), 'x-forwarded-uri': prefix + path };
  const { signal } = request;
  return { isBare, passed: { upstream, incoming, path: path + incoming.search, headers, prefix, signal } };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
