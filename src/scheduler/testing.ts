import type { Node, NodeSpec } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { Service } from '../api/kinds/service.ts';
import type { PodSpec } from '../api/parts/podSpec.ts';
import { ClusterState } from './cluster-state.ts';
import { likeness } from './likeness.ts';
import { type ScheduleOptions, schedule } from './schedule.ts';
import { hostnameLabel, zoneLabel } from './zones.ts';

/*
 * Nodes and pods for tests.
 */

export const zone = zoneLabel;
export const hostname = hostnameLabel;

export function node(
  name: string,
  options: {
    labels?: Record<string, string>;
    spec?: NodeSpec;
    ready?: boolean;
    allocatable?: Record<string, string>;
    images?: { name: string; sizeBytes: number }[];
  } = {},
): Node {
  const { labels = {}, spec = {}, ready = true, images = [] } = options;
  return {
    metadata: { name, labels: { [hostname]: name, ...labels } },
    spec,
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...options.allocatable },
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }],
      images: images.map(({ name, sizeBytes }) => ({ names: [name], sizeBytes })),
    },
  };
}

export function pod(
  name: string,
  options: {
    spec?: Partial<PodSpec>;
    labels?: Record<string, string>;
    requests?: Record<string, string>;
    namespace?: string;
    status?: Pod['status'];
  } = {},
): Pod {
  const { spec = {}, labels = {}, requests = {}, namespace = 'default', status } = options;
  return {
    metadata: { name, namespace, uid: name, labels },
    spec: { containers: [{ name: 'main', image: 'app:1', resources: { requests } }], ...spec },
    ...(status && { status }),
  };
}

export function cluster(
  nodes: Node[],
  placed: [Pod, string][] = [],
  options: { services?: Service[]; namespaces?: Record<string, Record<string, string>> } = {},
): ClusterState {
  const { services = [], namespaces = {} } = options;
  const state = new ClusterState({
    namespaceLabels: (name) => namespaces[name],
    likeness: (each) =>
      likeness(each, {
        services: () => services,
        replicaSet: () => undefined,
        statefulSet: () => undefined,
        replicationController: () => undefined,
      }),
  });
  for (const each of nodes) state.putNode(each);
  for (const [each, nodeName] of placed) state.assume(each, nodeName);
  return state;
}

/** The node, or why none. */
export function place(state: ClusterState, each: Pod, options?: ScheduleOptions): string {
  const decision = schedule(state, each, options);
  return decision.node ?? decision.message;
}
