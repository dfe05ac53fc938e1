import { tmpdir } from 'node:os';
import { type Lease, lease } from '../../../src/api/kinds/lease.ts';
import { type Node, node } from '../../../src/api/kinds/node.ts';
import { type Pod, pod } from '../../../src/api/kinds/pod.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { type Client, createInformer } from '../../../src/client/index.ts';
import { measureMachine } from '../../../src/node/machine.ts';
import { nodeObject, nodeStatus } from '../../../src/node/node-object.ts';
import { type RunningPod, startPod } from './pod-run.ts';

const renewMs = 5_000;
const description = {
  ...{ name: 'local', zone: '', internalIP: '127.0.0.1', kubeletPort: 10250, version: '0.0.0' },
  ...{ labels: { 'node-role.kubernetes.io/control-plane': '' }, machineId: 'sessions', podsMax: 110 },
  volumesFolder: '/nowhere',
};
const { name } = description;

/**
 * As much of a node as kubectl sees of it: it registers `local`, says that it is well, and runs the commands of the
 * pods bound to it as processes of this machine, without images, volumes and networks. Ends with the signal.
 */
export async function startNodeAgent(client: Client, signal: AbortSignal): Promise<void> {
  await client.create<Node>(node, nodeObject(description));
  await renew(client);
  const timer = setInterval(() => renew(client).catch(() => {}), renewMs);
  const pods = followPods(client, signal);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    for (const running of pods.values()) running.kill();
  });
}

async function renew(client: Client): Promise<void> {
  const { status: before } = await client.get<Node>(node, { name });
  const status = nodeStatus(description, measureMachine(tmpdir()), { before, nowMs: Date.now() });
  await client.patch<Node>(node, { name }, { type: 'merge', body: { status } }, { subresource: 'status' });
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  const body = {
    ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name } },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime },
  };
  const key = { namespace: 'kube-node-lease', name };
  await client.patch<Lease>(lease, key, { type: 'apply', body }, { fieldManager: 'agent', force: true });
}

function followPods(client: Client, signal: AbortSignal): Map<string, RunningPod> {
  const pods = new Map<string, RunningPod>();
  let started = 0;
  createInformer<Pod>({
    ...{ client, kind: pod, clock: systemClock, log: silentLog },
    fieldSelector: `spec.nodeName=${name}`,
    onChange({ type, object }) {
      const uid = object.metadata!.uid!;
      const running = pods.get(uid);
      if (type === 'deleted') {
        running?.kill();
        pods.delete(uid);
      } else if (object.metadata!.deletionTimestamp) {
        void end(client, object, running);
      } else if (!running) {
        const ip = `10.42.0.${2 + (started++ % 250)}`;
        pods.set(
          uid,
          startPod(object, ip, (status) => write(client, object, status)),
        );
      }
    },
  }).start(signal);
  return pods;
}

/** A pod that has gone meanwhile needs no status. */
async function write(client: Client, object: Pod, status: Pod['status']): Promise<void> {
  const { namespace, name, uid } = object.metadata!;
  const body = { metadata: { uid }, status };
  await client
    .patch<Pod>(pod, { namespace, name: name! }, { type: 'strategic', body }, { subresource: 'status' })
    .catch(() => {});
}

/** As a kubelet does: first what ran is ended, then the API object goes. */
async function end(client: Client, object: Pod, running: RunningPod | undefined): Promise<void> {
  const { namespace, name, uid, deletionGracePeriodSeconds = 0 } = object.metadata!;
  await running?.end(deletionGracePeriodSeconds * 1000);
  const options = { gracePeriodSeconds: 0, preconditions: { uid: uid! } };
  await client.delete<Pod>(pod, { namespace, name: name! }, options).catch(() => {});
}
