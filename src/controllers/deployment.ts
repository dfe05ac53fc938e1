import { type Deployment, deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { type ReplicaSet, replicaSet as replicaSetKind } from '../api/kinds/replicaSet.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { KubeObject } from '../api/object.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { type DeploymentAction, plan } from './deployment/plan.ts';
import { replicasOf, revisionAnnotation } from './deployment/replica-sets.ts';
import { withFailedCreation } from './deployment/status.ts';
import { isSameTemplate } from './deployment/template.ts';
import { claim, controllerOf, isControlledBy, keyOfMeta } from './owner.ts';
import { isNamespaceTerminating } from './pod-changes.ts';
import { writeStatus } from './write-status.ts';

/** Rolls Deployments out through ReplicaSets. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const deployments = informers.of(deploymentKind);
  const replicaSets = informers.of(replicaSetKind);
  const pods = informers.of(podKind);
  const events = context.recorder('deployment-controller');

  const keysForReplicaSet = (change: Change<ReplicaSet>): string[] => {
    const keys = [...ownerKeys(change.object, 'Deployment')];
    if (change.type === 'modified') keys.push(...ownerKeys(change.previous, 'Deployment'));
    if (keys.length > 0 || change.type === 'deleted') return [...new Set(keys)];
    const { namespace = '' } = change.object.metadata ?? {};
    const adopters = deployments
      .byIndex('namespace', namespace)
      .filter((each) => labelSelector(each.spec?.selector)(change.object));
    return adopters.map(keyOf);
  };
  /** Only a Recreate rollout waits for pods themselves: for the last old one to be gone. */
  const keysForPod = (change: Change<Pod>): string[] => {
    if (change.type !== 'deleted') return [];
    const [owner] = ownerKeys(change.object, 'ReplicaSet');
    const replicaSet = owner === undefined ? undefined : replicaSets.get(owner);
    const keys = replicaSet ? ownerKeys(replicaSet, 'Deployment') : [];
    return keys.filter((key) => deployments.get(key)?.spec?.strategy?.type === 'Recreate');
  };

  async function reconcile(key: string): Promise<number | undefined> {
    const deployment = deployments.get(key);
    if (!deployment) return undefined;
    const { uid = '', namespace = '' } = deployment.metadata ?? {};
    const owned = await claim({
      client,
      owner: deployment,
      ownerKind: deploymentKind,
      kind: replicaSetKind,
      candidates: [...replicaSets.byIndex('owner', uid), ...replicaSets.byIndex('orphan', namespace)],
      isSelected: labelSelector(deployment.spec?.selector),
    });
    const ownedPods = owned.flatMap(({ metadata }) => pods.byIndex('owner', metadata?.uid ?? ''));
    const state = { deployment, replicaSets: owned, pods: ownedPods, nowMs: clock.nowMs() };
    const { actions, status, lookAgainInMs } = plan(state);
    let latest = deployment;
    for (const action of actions) latest = (await act(deployment, action)) ?? latest;
    await writeStatus(client, deploymentKind, latest, status);
    return lookAgainInMs;
  }

  /** Answers the Deployment as it is after an action that changed it. */
  async function act(deployment: Deployment, action: DeploymentAction): Promise<Deployment | undefined> {
    switch (action.type) {
      case 'create':
        await createReplicaSet(deployment, action.replicaSet);
        return undefined;
      case 'update':
        await client.update(replicaSetKind, action.to);
        tellScaled(deployment, action.from, replicasOf(action.from), replicasOf(action.to));
        return undefined;
      case 'delete':
        await client
          .delete(replicaSetKind, keyOfMeta(action.replicaSet.metadata ?? {}))
          .catch((error: unknown) => {
            if (!isStatus(error, 'NotFound')) throw error;
          });
        return undefined;
      case 'setRevision': {
        const annotations = { [revisionAnnotation]: action.revision };
        const body = { metadata: { annotations, uid: deployment.metadata?.uid } };
        const key = keyOfMeta(deployment.metadata ?? {});
        return client.patch(deploymentKind, key, { type: 'merge', body });
      }
    }
  }

  async function createReplicaSet(deployment: Deployment, replicaSet: ReplicaSet): Promise<void> {
    try {
      const created = await client.create(replicaSetKind, replicaSet);
      tellScaled(deployment, created, 0, replicasOf(created));
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) {
        // Nothing can be made there any more, and nobody has to be told.
        if (isNamespaceTerminating(error)) throw error;
        const message = `Failed to create new replica set "${replicaSet.metadata?.name}": ${messageOf(error)}`;
        const conditions = withFailedCreation(deployment, message, clock.nowMs());
        await writeStatus(client, deploymentKind, deployment, { ...deployment.status, conditions });
        const subject = subjectOf(deploymentKind, deployment);
        events.record(subject, 'Warning', 'ReplicaSetCreateError', message);
        throw error;
      }
      const present = await client.get(replicaSetKind, keyOfMeta(replicaSet.metadata ?? {}));
      const isOurs = isControlledBy(present, deployment);
      // Ours already, only our cache does not have it yet; else another template has the same hash.
      if (isOurs && isSameTemplate(present.spec?.template, replicaSet.spec?.template)) return;
      const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
      await writeStatus(client, deploymentKind, deployment, { ...deployment.status, collisionCount });
      throw error;
    }
  }

  function tellScaled(deployment: Deployment, replicaSet: ReplicaSet, from: number, to: number): void {
    if (from === to) return;
    const direction = to > from ? 'up' : 'down';
    const message = `Scaled ${direction} replica set ${replicaSet.metadata?.name} from ${from} to ${to}`;
    events.record(subjectOf(deploymentKind, deployment), 'Normal', 'ScalingReplicaSet', message);
  }

  return runController(context, {
    name: 'deployment',
    sources: [
      source(deploymentKind, ({ key }) => [key]),
      source(replicaSetKind, keysForReplicaSet),
      source(podKind, keysForPod),
    ],
    reconcile,
  });
}

function ownerKeys(object: KubeObject, kind: string): string[] {
  const owner = controllerOf(object);
  return owner?.kind === kind ? [`${object.metadata?.namespace}/${owner.name}`] : [];
}
