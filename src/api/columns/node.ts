import { conditionOf } from '../conditions.ts';
import type { Column } from '../kind.ts';
import type { Node } from '../kinds/node.ts';
import { ageColumn, nameColumn } from '../table.ts';

const rolePrefix = 'node-role.kubernetes.io/';

export const nodeColumns: Column<Node>[] = [
  nameColumn,
  { name: 'Status', doc: 'Whether the node is ready and takes new pods.', value: statusText },
  { name: 'Roles', doc: `From the labels ${rolePrefix}*.`, value: rolesText },
  ageColumn,
  {
    name: 'Version',
    doc: "The agent's version.",
    value: (node) => node.status?.nodeInfo?.kubeletVersion ?? '',
  },
  { name: 'Internal-IP', priority: 1, value: (node) => address(node, 'InternalIP') },
  { name: 'External-IP', priority: 1, value: (node) => address(node, 'ExternalIP') },
  { name: 'OS-Image', priority: 1, value: (node) => node.status?.nodeInfo?.osImage || '<unknown>' },
  {
    name: 'Kernel-Version',
    priority: 1,
    value: (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>',
  },
  {
    name: 'Container-Runtime',
    priority: 1,
    value: (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
  },
];

function statusText(node: Node): string {
  const ready = conditionOf(node, 'Ready');
  const status = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return node.spec?.unschedulable ? `${status},SchedulingDisabled` : status;
}

function rolesText(node: Node): string {
  const roles = Object.entries(node.metadata?.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) return [key.slice(rolePrefix.length)];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return [...new Set(roles)].sort().join(',') || '<none>';
}

function address(node: Node, type: string): string {
  return node.status?.addresses?.find((each) => each.type === type)?.address ?? '<none>';
}
