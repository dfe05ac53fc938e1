import { podColumns } from '../columns/pod.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { podSpec } from '../parts/podSpec.ts';
import { podStatus } from '../parts/podStatus.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.Pod',
  { apiVersion: 'v1', kind: 'Pod' },
  {
    spec: podSpec,
    status: podStatus,
  },
  'Pod is one or more containers that run together on one node.',
);

export interface Pod extends ObjectOf<typeof schema> {}

export const pod = defineKind<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true },
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec?.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec?.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIP ?? '',
    'status.podIPs': (pod) => pod.status?.podIPs?.[0]?.ip ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
  statusWritesMetadata: true,
});
