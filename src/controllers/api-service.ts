import { isEqualSemantically } from '../api/equal.ts';
import type { KindDefinition } from '../api/kind.ts';
import { type APIService, apiService as apiServiceKind } from '../api/kinds/apiService.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Context, runController, source } from './controller.ts';

const automanagedLabel = 'kube-aggregator.kubernetes.io/automanaged';

/**
 * How clients prefer groups and, within them, versions; those of kube-apiserver.
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/api-service-v1/
 */
const groupPriorities: Record<string, number> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
};
const versionPriorities: Record<string, number> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
};
const priorityOfOthers = { groupPriorityMinimum: 1_000, versionPriority: 100 };
const versionPriority = 15;

/** Keeps an APIService for every version that the server itself serves; one that is deleted or changed comes back. */
export function run(context: Context, kinds: readonly KindDefinition[]): Running {
  const { client, informers } = context;
  const services = informers.of(apiServiceKind);
  const wanted = new Map(kinds.map((kind) => [`${kind.version}.${kind.group}`, localService(kind)]));

  async function reconcile(name: string): Promise<undefined> {
    const service = wanted.get(name);
    if (!service) return;
    const present = services.get(name);
    if (!present) {
      await client.create(apiServiceKind, service).catch((error: unknown) => {
        if (!isStatus(error, 'AlreadyExists')) throw error;
      });
    } else if (!isEqualSemantically(present.spec, service.spec)) {
      await client.update(apiServiceKind, { ...present, spec: service.spec! });
    }
  }

  return runController(context, {
    name: 'apiservice-registration',
    sources: [
      source(apiServiceKind, ({ key }) => [key]),
      { attach: (_, queue) => once([...wanted.keys()], queue) },
    ],
    reconcile,
  });
}

function once(keys: readonly string[], queue: { add(key: string): void }) {
  for (const key of keys) queue.add(key);
  return { synced: Promise.resolve(), detach: () => {} };
}

/** Pure: how a version is registered that this server serves. */
export function localService({ group, version }: { group: string; version: string }): APIService {
  const known = groupPriorities[group];
  const priorities =
    known === undefined
      ? priorityOfOthers
      : {
          groupPriorityMinimum: known,
          versionPriority: versionPriorities[`${group}/${version}`] ?? versionPriority,
        };
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}`, labels: { [automanagedLabel]: 'onstart' } },
    spec: { ...(group !== '' && { group }), version, ...priorities },
  };
}
