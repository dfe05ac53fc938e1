import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { startTestServer, type TestServer } from '../apiserver/test-server.ts';
import { type Clock, systemClock, toTime } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import { createLog, silentLog } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import { createInformer } from '../client/informer.ts';
import { startScheduler } from '../scheduler/scheduler.ts';
import { type Controllers, startControllers } from './index.ts';
import type { PodNetwork } from './node-cidr/subnets.ts';

/**
 * A real API server, real controllers and scheduler, and nodes whose agent is played: it starts and ends pods. A pod
 * whose image is `exit:<code>` ends at once with that exit code.
 */
export interface TestCluster {
  api: TestServer;
  client: Client;
  controllers: Controllers;
  /** Pods whose images have this name never become ready. */
  brokenImage: string;
  /** Nodes in this set do nothing any more. */
  dead: Set<string>;
  addNode(name: string, labels?: Record<string, string>): Promise<void>;
  close(): Promise<void>;
}

export async function startTestCluster(
  options: {
    nodes?: string[];
    listens?: boolean;
    nodeGraceSeconds?: number;
    evictAfterSeconds?: number;
    podNetwork?: PodNetwork;
    /** That of controllers and scheduler. */
    clock?: Clock;
  } = {},
): Promise<TestCluster> {
  const { nodes = ['n1', 'n2'], listens = false, clock = systemClock, ...times } = options;
  const log =
    process.env.SELVAGE_TEST_LOG === '1'
      ? createLog({ level: 'debug', write: (line) => process.stderr.write(line) })
      : silentLog;
  const api = await startTestServer({
    listens,
    ...(times.evictAfterSeconds !== undefined && { evictAfterSeconds: times.evictAfterSeconds }),
  });
  const client = createClient(api.server.transport());
  const controllers = startControllers({ client, clock, log, authority: api.authority, ...times });
  const scheduler = startScheduler({ client, clock, log, informers: controllers.informers });
  const stop = new AbortController();
  const brokenImage = 'broken:1';
  const dead = new Set<string>();
  const play = playAgent(client, { brokenImage, dead });
  createInformer({
    client,
    kind: podKind,
    clock,
    log,
    onChange: (change) => {
      if (change.type !== 'deleted') void play(change.object);
    },
  }).start(stop.signal);
  const addNode = async (name: string, labels: Record<string, string> = {}) => {
    const { metadata, status } = nodeFor(name, labels);
    const created = await client.create(nodeKind, { metadata });
    const patch = { type: 'merge', body: { status } } as const;
    await client.patch(nodeKind, { name: created.metadata?.name ?? '' }, patch, { subresource: 'status' });
  };
  for (const name of nodes) await addNode(name);
  return {
    api,
    client,
    controllers,
    brokenImage,
    dead,
    addNode,
    async close() {
      stop.abort();
      await scheduler.stop();
      await controllers.stop();
      await api.close();
    },
  };
}

/** The object, or undefined when there is none. */
export async function find<T extends KubeObject>(
  client: Client,
  kind: KindAddress<T>,
  name: string,
  namespace: string | undefined = kind.namespaced ? 'default' : undefined,
): Promise<T | undefined> {
  try {
    return await client.get(kind, { namespace, name });
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

function nodeFor(name: string, labels: Record<string, string>): Required<Pick<Node, 'metadata' | 'status'>> {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    status: {
      capacity: { cpu: '8', memory: '16Gi', pods: '110' },
      allocatable: { cpu: '8', memory: '16Gi', pods: '110' },
      conditions: [
        { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: toTime(Date.now()) },
      ],
    },
  };
}

function playAgent(client: Client, { brokenImage, dead }: { brokenImage: string; dead: Set<string> }) {
  let addresses = 0;
  return async (pod: Pod): Promise<void> => {
    const { nodeName } = pod.spec ?? {};
    if (!nodeName || dead.has(nodeName)) return;
    const { namespace, name = '', deletionTimestamp } = pod.metadata ?? {};
    try {
      if (deletionTimestamp) {
        await client.delete(podKind, { namespace, name }, { gracePeriodSeconds: 0 });
      } else if (pod.status?.phase === 'Pending' && endOf(pod)) {
        const patch = { type: 'merge', body: { status: endOf(pod) } } as const;
        await client.patch(podKind, { namespace, name }, patch, { subresource: 'status' });
      } else if (pod.status?.phase === 'Pending') {
        const isReady = pod.spec?.containers[0]?.image !== brokenImage;
        const conditions = [
          ...(pod.status.conditions ?? []).filter(({ type }) => type !== 'Ready'),
          {
            type: 'Ready',
            status: isReady ? ('True' as const) : ('False' as const),
            lastTransitionTime: toTime(Date.now()),
          },
        ];
        const status = { phase: 'Running' as const, podIP: `10.42.0.${++addresses}`, conditions };
        await client.patch(
          podKind,
          { namespace, name },
          { type: 'merge', body: { status } },
          { subresource: 'status' },
        );
      }
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  };
}

/** The status with which a pod ends whose image says so. */
function endOf({ spec }: Pod): Pod['status'] | undefined {
  const { name = '', image = '' } = spec?.containers[0] ?? {};
  const code = /^exit:(\d+)$/.exec(image)?.[1];
  if (code === undefined) return undefined;
  const terminated = { exitCode: Number(code), finishedAt: toTime(Date.now()) };
  return {
    phase: code === '0' ? 'Succeeded' : 'Failed',
    containerStatuses: [
      { name, image, imageID: image, ready: false, restartCount: 0, state: { terminated } },
    ],
  };
}
