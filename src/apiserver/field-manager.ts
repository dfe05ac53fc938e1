import { managersIn, type Writer } from '../api/apply/managers.ts';
import { isEqualJson } from '../api/equal.ts';
import { invalid } from '../api/invalid.ts';
import { apiVersionOf, type KubeObject } from '../api/object.ts';
import { goQuoted } from '../api/report.ts';
import type { Call } from './context.ts';
import { isTrue } from './request-info.ts';
import type { User } from './user.ts';

/** A manager's name, at most, in bytes; Kubernetes' bound. */
export const fieldManagerBytesMax = 128;
export const applyType = 'application/apply-patch+yaml';

/** Who makes a change, for managedFields: `?fieldManager=`, else the beginning of the user agent, else by the user. */
export function writerOf(call: Call): Writer & { operation: 'Update' } {
  const { request, info, user } = call;
  const manager =
    request.query.get('fieldManager') || fromUserAgent(request.headers['user-agent']) || fromUser(user);
  return {
    manager,
    operation: 'Update',
    subresource: info.subresource ?? '',
    apiVersion: apiVersionOf(call.resource.kind),
  };
}

/** What controllers and nodes make, pods by the thousand, is tracked from the first apply on. */
export function isMadeUntracked({ user, request }: Call): boolean {
  return isOwnPart(user) && !request.query.get('fieldManager');
}

/**
 * Nodes and controllers write statuses without end, and nobody else does: these writes are entered into managedFields
 * only where somebody else owns a part of the status.
 */
export function isUntracked({ info, user, request }: Call, previous: KubeObject, next: KubeObject): boolean {
  if (info.subresource !== 'status' || !isOwnPart(user) || request.query.get('fieldManager')) return false;
  const [before, after] = [previous.metadata, next.metadata];
  if (!isEqualJson(before?.labels, after?.labels)) return false;
  if (!isEqualJson(before?.annotations, after?.annotations)) return false;
  return !managersIn(before).some(({ fields }) => fields['f:status'] !== undefined);
}

/** Whether the user is a part of the control plane or a node. */
function isOwnPart({ name }: User): boolean {
  return name.startsWith('system:') && !name.startsWith('system:serviceaccount:');
}

export function isApply(call: Call): boolean {
  return (
    call.info.verb === 'patch' &&
    (call.request.headers['content-type'] ?? '').split(';')[0]!.trim() === applyType
  );
}

/** Who applies, and whether by force; throws Invalid where the options do not fit the kind of patch. */
export function readApplyOptions(call: Call): { writer: Writer & { operation: 'Apply' }; force: boolean } {
  const manager = call.request.query.get('fieldManager') ?? '';
  if (manager === '') {
    throw invalidOption(
      'PatchOptions',
      'fieldManager',
      'FieldValueRequired',
      'Required value: is required for apply patch',
    );
  }
  return {
    writer: { ...writerOf(call), manager, operation: 'Apply' },
    force: isTrue(call.request.query.get('force')),
  };
}

/** Refuses a manager that is no name, and force where nothing is applied. */
export function checkFieldManager(call: Call): void {
  const manager = call.request.query.get('fieldManager') ?? '';
  const { verb } = call.info;
  const options = verb === 'create' ? 'CreateOptions' : verb === 'update' ? 'UpdateOptions' : 'PatchOptions';
  if (Buffer.byteLength(manager) > fieldManagerBytesMax) {
    const text = `Too long: may not be more than ${fieldManagerBytesMax} bytes`;
    throw invalidOption(options, 'fieldManager', 'FieldValueTooLong', text);
  }
  const odd = /[^\P{C}]|[^\P{Z} ]/u.exec(manager);
  if (odd) {
    const code = odd[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    const at = Buffer.byteLength(manager.slice(0, odd.index));
    const text = `Invalid value: ${goQuoted(manager)}: invalid character U+${code} (at position ${at})`;
    throw invalidOption(options, 'fieldManager', 'FieldValueInvalid', text);
  }
  if (call.request.query.has('force') && verb === 'patch' && !isApply(call)) {
    throw invalidOption(
      options,
      'force',
      'FieldValueForbidden',
      'Forbidden: may not be specified for non-apply patch',
    );
  }
}

function invalidOption(options: string, field: string, reason: string, message: string) {
  return invalid({ group: 'meta.k8s.io', kind: options }, '', [{ field, reason, message }]);
}

/** `kubectl/v1.32.0 (linux/amd64) …` is kubectl. */
function fromUserAgent(agent: string | undefined): string {
  const [name] = (agent ?? '').split('/');
  let manager = '';
  for (const character of name!.replace(/[^\P{C}]|[^\P{Z} ]/gu, '')) {
    if (Buffer.byteLength(manager + character) > fieldManagerBytesMax) break;
    manager += character;
  }
  return manager;
}

/** Parts of the control plane that name no agent are known by their user. */
function fromUser({ name }: User): string {
  if (name.startsWith('system:node:')) return 'kubelet';
  return name.startsWith('system:') ? name.slice('system:'.length) : 'unknown';
}
