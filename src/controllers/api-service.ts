import { isEqualSemantically } from '../api/equal.ts';
import { type APIService, apiService as apiServiceKind } from '../api/kinds/apiService.ts';
import {
  type CustomResourceDefinition,
  customResourceDefinition,
} from '../api/kinds/customResourceDefinition.ts';
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

interface GroupVersion {
  group: string;
  version: string;
}

/** Keeps an APIService for every version that the server itself serves; one that is deleted or changed comes back. */
export function run(context: Context, builtIn: readonly GroupVersion[]): Running {
  const { client, informers } = context;
  const services = informers.of(apiServiceKind);
  const definitions = informers.of(customResourceDefinition);
  const wanted = new Map(builtIn.map((one) => [nameOf(one), localService(one)]));

  async function reconcile(name: string): Promise<undefined> {
    const service = wanted.get(name) ?? customService(name, definitions.list());
    const present = services.get(name);
    if (!service) {
      if (present?.metadata?.labels?.[automanagedLabel] === 'true') {
        await client.delete(apiServiceKind, { name }).catch((error: unknown) => {
          if (!isStatus(error, 'NotFound')) throw error;
        });
      }
      return;
    }
    if (!present) {
      await client.create(apiServiceKind, service).catch((error: unknown) => {
        if (!isStatus(error, 'AlreadyExists')) throw error;
      });
    } else if (isOurs(present) && !isEqualSemantically(present.spec, service.spec)) {
      await client.update(apiServiceKind, { ...present, spec: service.spec! });
    }
  }

  return runController(context, {
    name: 'apiservice-registration',
    sources: [
      source(customResourceDefinition, (change) => {
        const before = change.type === 'modified' ? versionsOf(change.previous) : [];
        return [...versionsOf(change.object), ...before].map(nameOf);
      }),
      source(apiServiceKind, ({ key }) => [key]),
      { attach: (_, queue) => once([...wanted.keys()], queue) },
    ],
    reconcile,
  });
}

/** One whose label is gone is somebody else's, as in Kubernetes; and who brings a server for metrics may have it asked. */
function isOurs({ metadata, spec }: APIService): boolean {
  if (metadata?.labels?.[automanagedLabel] === undefined) return false;
  return !(spec?.service && replaceable.includes(spec.group ?? ''));
}

/** What Kubernetes leaves to servers that are installed; here they find one in their place. */
const replaceable = ['metrics.k8s.io'];

function once(keys: readonly string[], queue: { add(key: string): void }) {
  for (const key of keys) queue.add(key);
  return { synced: Promise.resolve(), detach: () => {} };
}

const nameOf = ({ group, version }: GroupVersion) => `${version}.${group}`;

function versionsOf({ spec }: CustomResourceDefinition): GroupVersion[] {
  return spec.versions.map(({ name }) => ({ group: spec.group, version: name }));
}

/** That of a version which a definition serves; undefined where none does. */
function customService(
  name: string,
  definitions: readonly CustomResourceDefinition[],
): APIService | undefined {
  for (const definition of definitions) {
    const at = versionsOf(definition).find((one) => nameOf(one) === name);
    const isServed = definition.spec.versions.some((one) => one.served && one.name === at?.version);
    if (!at || !isServed || definition.metadata?.deletionTimestamp) continue;
    const service = localService(at);
    return { ...service, metadata: { ...service.metadata, labels: { [automanagedLabel]: 'true' } } };
  }
  return undefined;
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
