import type { ReplicaSet } from '../api/kinds/replicaSet.ts';
import {
  type ReplicationController,
  replicationController as replicationControllerKind,
} from '../api/kinds/replicationController.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Context } from './controller.ts';
import { runReplicas } from './replicaset.ts';

/** Keeps as many pods of each ReplicationController as it asks for, as a ReplicaSet does. */
export function run(context: Context): Running {
  return runReplicas(context, {
    kind: replicationControllerKind,
    name: 'replication-controller',
    component: 'replication-controller',
    asReplicaSet,
  });
}

/** The same but for the selector, which here is plain labels. */
export function asReplicaSet({ metadata, spec, status }: ReplicationController): ReplicaSet {
  const { selector, ...rest } = spec ?? {};
  return {
    ...(metadata && { metadata }),
    spec: { ...rest, selector: { matchLabels: selector ?? {} } },
    ...(status && { status }),
  };
}
