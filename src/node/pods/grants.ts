import { StatusError } from '../../base/errors.ts';
import { isLocalHost } from '../runtimes/local-address.ts';
import type { ContainerSpec } from '../runtimes/runtime.ts';

/** What a node must be started to allow: each of these lets a pod out of its sandbox. */
export type Grant = 'worker' | 'addons' | 'local-egress';

/**
 * What a container may do beyond nothing: what its built-in image needs, and what its pod's annotations ask for as far
 * as the node allows it. Throws `Invalid` for the rest.
 */
export function grantsOf(options: {
  annotations: Record<string, string>;
  /** Of a built-in image: they need no one's leave. */
  builtin: { worker: boolean; addons: boolean } | undefined;
  allowed: readonly Grant[];
}): ContainerSpec['grants'] {
  const { annotations, builtin, allowed } = options;
  const asked = words(annotations['selvage.dev/grants']);
  const egress = words(annotations['selvage.dev/egress']);
  const isLocalEgressAllowed = allowed.includes('local-egress');
  for (const word of asked) checkGrant(word, allowed);
  if (!isLocalEgressAllowed) for (const target of egress) checkEgress(target);
  return {
    worker: builtin?.worker === true || asked.includes('worker'),
    addons: builtin?.addons === true || asked.includes('addons'),
    egress,
    ...(isLocalEgressAllowed && { localEgress: true }),
  };
}

function checkGrant(word: string, allowed: readonly Grant[]): void {
  if (word !== 'worker' && word !== 'addons') {
    throw new StatusError('Invalid', `annotation selvage.dev/grants: "${word}" is neither worker nor addons`);
  }
  if (allowed.includes(word)) return;
  throw new StatusError(
    'Invalid',
    `annotation selvage.dev/grants asks for "${word}", which ends the pod's sandbox and is not allowed on this node; start the node with --allow-addons if all who may create pods are trusted with this machine`,
  );
}

/** Names that only resolve to such an address are refused when they are dialed. */
function checkEgress(target: string): void {
  if (!isLocalHost(target.slice(0, target.lastIndexOf(':')))) return;
  throw new StatusError(
    'Invalid',
    `annotation selvage.dev/egress names "${target}", an address of the node itself, which is not allowed on this node; use a Service, or start the node with --allow-local-egress`,
  );
}

function words(annotation = ''): string[] {
  const all = annotation.split(',').map((word) => word.trim());
  return all.filter((word) => word !== '');
}
