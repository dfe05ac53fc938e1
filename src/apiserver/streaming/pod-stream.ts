import type { Pod } from '../../api/kinds/pod.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ApiRequest } from '../../client/transport.ts';
import { annotationsOf } from '../audit/notes.ts';
import type { Call } from '../context.ts';
import { badRequest, noSuchPath, notFound } from '../failures.ts';
import { readResourceInfo } from '../request-info.ts';
import { allow, type Router } from '../router.ts';
import { keyOf, objectOf } from '../stored.ts';
import type { User } from '../user.ts';
import { containerOf, type KubeletRequest, kubeletRequest } from '../verbs/log.ts';

/** The subresources of a pod that are byte streams rather than objects. */
export const streamSubresources = ['attach', 'exec', 'portforward'];

/** Says where on the pod's node the stream that is asked for is served; throws StatusError if it may not be had. */
export async function openPodStream(
  router: Router,
  request: ApiRequest,
  user: User,
): Promise<KubeletRequest> {
  const resource = readResourceInfo(request);
  if (!resource) throw noSuchPath();
  allow(router, { user, fieldSelector: '', resource }, request);
  const { info, served } = { info: resource, served: router.resources.get('/v1/pods') };
  const isStream =
    info.group === '' && info.resource === 'pods' && streamSubresources.includes(info.subresource ?? '');
  if (!isStream || !served || info.name === undefined || info.namespace === undefined) throw noSuchPath();
  const stored = router.context.store.get(keyOf(served.kind, info.namespace, info.name));
  if (!stored) throw notFound(served.kind, info.name);
  const pod = objectOf(stored) as Pod;
  await admitConnection(router, {
    request,
    info,
    user,
    resource: served,
    warnings: [],
    auditAnnotations: annotationsOf(request),
  });
  if (!pod.spec?.nodeName) throw badRequest(`pod ${info.name} does not have a host assigned`);
  return kubeletRequest(
    router.context,
    router.kubelet,
    pod.spec.nodeName,
    pathOf(info.subresource!, pod, request.query),
  );
}

const connectKinds: Record<string, string> = {
  attach: 'PodAttachOptions',
  exec: 'PodExecOptions',
  portforward: 'PodPortForwardOptions',
};

async function admitConnection({ context }: Router, call: Call): Promise<void> {
  const { query } = call.request;
  const { name, subresource } = call.info;
  const object: Record<string, unknown> = { kind: connectKinds[subresource!]!, apiVersion: 'v1' };
  for (const option of ['stdin', 'stdout', 'stderr', 'tty']) {
    if (['true', '1'].includes(query.get(option) ?? '')) object[option] = true;
  }
  if (query.has('container')) object.container = query.get('container');
  if (query.has('command')) object.command = query.getAll('command');
  if (query.has('ports'))
    object.ports = query.getAll('ports').flatMap((ports) => ports.split(',').map(Number));
  await context.admission
    .begin(call, { operation: 'CONNECT', name: name!, object: object as KubeObject, dryRun: false })
    ?.admit();
}

/** The kubelet has other names for the same options. */
const kubeletNames = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' };

function pathOf(subresource: string, pod: Pod, query: URLSearchParams): string {
  const { namespace, name } = pod.metadata!;
  const path = (...parts: string[]) => `/${parts.map(encodeURIComponent).join('/')}`;
  const passed = new URLSearchParams();
  if (subresource === 'portforward') {
    for (const port of query.getAll('ports')) passed.append('port', port);
    return `${path('portForward', namespace!, name!)}?${passed}`;
  }
  const container = containerOf(pod, query.get('container') ?? '');
  const wants = (option: string) => ['true', '1'].includes(query.get(option) ?? '');
  for (const [option, kubeletName] of Object.entries(kubeletNames)) {
    if (wants(option)) passed.set(kubeletName, '1');
  }
  const hasStream = ['input', 'output', 'error'].some((each) => passed.has(each));
  if (!hasStream) throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  if (subresource === 'exec') {
    const command = query.getAll('command');
    if (command.length === 0) throw badRequest('you must specify a command for the container');
    for (const word of command) passed.append('command', word);
  }
  return `${path(subresource, namespace!, name!, container)}?${passed}`;
}
