import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import type { Status } from '../../base/errors.ts';
import { admitSubresource } from '../admission/subresource.ts';
import type { Call, Context } from '../context.ts';
import { badRequest, conflict } from '../failures.ts';
import { isRecord, readWriteOptions } from '../options.ts';
import { change } from './update.ts';

/** Answers a POST of a Binding: gives an unscheduled pod its node. */
export async function bind(context: Context, call: Call): Promise<Status> {
  const { dryRun } = readWriteOptions(call.request);
  const form = { apiVersion: 'v1', kind: 'Binding' };
  const body = await admitSubresource(context, call, { form, body: call.request.body, dryRun });
  const target = isRecord(body.target) ? body.target : {};
  const metadata = body.metadata ?? {};
  const nodeName = target.name;
  if (typeof nodeName !== 'string' || nodeName === '')
    throw badRequest('a Binding needs target.name, the node');
  if (target.kind !== undefined && target.kind !== '' && target.kind !== 'Node') {
    throw badRequest(`a Binding's target.kind must be "Node", got ${JSON.stringify(target.kind)}`);
  }
  await change(context, call, {
    part: 'any',
    dryRun,
    isAdmitted: true,
    next: (current) => {
      const pod = structuredClone(current) as Pod;
      refuseBound(pod, metadata.uid);
      pod.spec!.nodeName = nodeName;
      const others = pod.status?.conditions?.filter(({ type }) => type !== 'PodScheduled') ?? [];
      const scheduled = {
        type: 'PodScheduled',
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: toTime(context.clock.nowMs()),
      };
      pod.status = { ...pod.status, conditions: [...others, scheduled] } as NonNullable<Pod['status']>;
      return pod;
    },
  });
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

function refuseBound(pod: Pod, uid: unknown): void {
  const name = pod.metadata!.name!;
  const binding = { group: '', plural: 'pods/binding', kind: 'Binding' };
  if (typeof uid === 'string' && uid !== '' && uid !== pod.metadata!.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata!.uid}`;
    throw conflict(binding, name, why);
  }
  if (pod.metadata!.deletionTimestamp) {
    throw conflict(binding, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  if (pod.spec?.nodeName) {
    throw conflict(binding, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  }
}
