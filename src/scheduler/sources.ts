import { namespace as namespaceKind } from '../api/kinds/namespace.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import { persistentVolumeClaim as claimKind } from '../api/kinds/persistentVolumeClaim.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { podDisruptionBudget as budgetKind } from '../api/kinds/podDisruptionBudget.ts';
import { replicaSet as replicaSetKind } from '../api/kinds/replicaSet.ts';
import { replicationController as replicationControllerKind } from '../api/kinds/replicationController.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { statefulSet as statefulSetKind } from '../api/kinds/statefulSet.ts';
import { storageClass as storageClassKind } from '../api/kinds/storageClass.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Informer } from '../client/informer.ts';

/** The caches that decisions are made from. */
export function followAll(of: <T extends KubeObject>(kind: KindAddress<T>) => Informer<T>) {
  return {
    nodes: of(nodeKind),
    pods: of(podKind),
    services: of(serviceKind),
    namespaces: of(namespaceKind),
    budgets: of(budgetKind),
    replicaSets: of(replicaSetKind),
    statefulSets: of(statefulSetKind),
    replicationControllers: of(replicationControllerKind),
    claims: of(claimKind),
    volumes: of(volumeKind),
    storageClasses: of(storageClassKind),
  };
}
