import { createHash } from 'node:crypto';
import type { Job } from '../../api/kinds/job.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Secret } from '../../api/kinds/secret.ts';
import type { Service } from '../../api/kinds/service.ts';
import type { TrainingJob } from '../../api/kinds/trainingJob.ts';
import type { Affinity, Toleration } from '../../api/parts/affinity.ts';
import {
  clientCountVariable,
  clientImage,
  clientVariable,
  coordinatorImage,
  coordinatorPort,
  coordinatorVariable,
  keyVariable,
  placeVariable,
  tokenVariable,
} from '../../learning/trainer/places.ts';
import { findUntolerated, notReadyTaint, unreachableTaint } from '../../scheduler/taints.ts';
import { jobFor, metadataFor, nameOf, templateFor, trainingJobLabel } from './pod.ts';

/** Says which part of a federated training a pod is. */
export const roleLabel = 'learning.selvage.dev/role';
export const keyField = 'key';
export const tokenField = 'token';

/** The coordinator as the training's Job: it needs no data, and keeps its rounds where a trainer keeps checkpoints. */
export function coordinatorJobFor(training: TrainingJob, clients: number): Job {
  const job = jobFor(training, {
    image: coordinatorImage,
    env: [
      fromSecret(keyVariable, keySecretName(training), keyField),
      { name: clientCountVariable, value: String(clients) },
    ],
    seesData: false,
    keepsCheckpoints: true,
  });
  const { template } = job.spec!;
  template.metadata = { labels: labelsOf(training, 'coordinator') };
  const affinity = ratherElsewhere(training);
  if (affinity) template.spec = { ...template.spec!, affinity };
  return job;
}

/** Nodes that have data drop out: the coordinator rather runs on another one. */
function ratherElsewhere({ spec }: TrainingJob): Affinity | undefined {
  const terms = Object.entries(spec.nodeSelector ?? {}).map(([key, value]) => {
    const matchExpressions = [{ key, operator: 'NotIn' as const, values: [value] }];
    return { weight: 100, preference: { matchExpressions } };
  });
  if (terms.length === 0) return undefined;
  return { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: terms } };
}

/** Where the clients find the coordinator. */
export function coordinatorServiceFor(training: TrainingJob): Service {
  return {
    metadata: metadataFor(training, coordinatorName(training)),
    spec: {
      selector: labelsOf(training, 'coordinator'),
      ports: [{ name: 'http', port: 80, targetPort: coordinatorPort }],
    },
  };
}

export interface ClientPlace {
  node: string;
  /** From 1. */
  index: number;
  count: number;
}

/** The pod that trains on one node's data. It has no token of the API server, and stays while its node is away. */
export function clientPodFor(training: TrainingJob, { node, index, count }: ClientPlace): Pod {
  const { namespace = '' } = training.metadata ?? {};
  const name = clientName(training, node);
  const template = templateFor(training, {
    image: clientImage,
    env: [
      { name: coordinatorVariable, value: `http://${coordinatorName(training)}.${namespace}` },
      { name: clientVariable, value: node },
      { name: placeVariable, value: `${index}/${count}` },
      fromSecret(tokenVariable, name, tokenField),
    ],
    seesData: true,
    keepsCheckpoints: false,
  });
  const matchFields = [{ key: 'metadata.name', operator: 'In' as const, values: [node] }];
  return {
    metadata: { ...metadataFor(training, name), labels: labelsOf(training, 'client') },
    spec: {
      ...template.spec!,
      restartPolicy: 'OnFailure',
      automountServiceAccountToken: false,
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] },
        },
      },
      tolerations: tolerationsOf(training),
    },
  };
}

/** The key that all clients' tokens are made from; only the coordinator sees it. */
export const keySecretFor = (training: TrainingJob, key: string): Secret =>
  secretFor(training, keySecretName(training), keyField, key);

export const tokenSecretFor = (training: TrainingJob, node: string, token: string): Secret =>
  secretFor(training, clientName(training, node), tokenField, token);

function secretFor(training: TrainingJob, name: string, field: string, value: string): Secret {
  return {
    metadata: metadataFor(training, name),
    type: 'Opaque',
    data: { [field]: Buffer.from(value).toString('base64') },
  };
}

/** Names of the nodes that have the data, in order. */
export function nodesWithData(training: TrainingJob, nodes: readonly Node[]): string[] {
  const wanted = Object.entries(training.spec.nodeSelector ?? {});
  const tolerations = tolerationsOf(training);
  const fit = nodes.filter(({ metadata, spec }) => {
    if (!wanted.every(([label, value]) => metadata?.labels?.[label] === value)) return false;
    return !findUntolerated(spec?.taints ?? [], tolerations, ['NoSchedule', 'NoExecute']);
  });
  return fit.map(({ metadata }) => metadata?.name ?? '').sort();
}

/** The node whose data the pod trains on; undefined of other pods. */
export function nodeOfClient({ metadata, spec }: Pod): string | undefined {
  if (metadata?.labels?.[roleLabel] !== 'client') return undefined;
  const terms =
    spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms?.[0]?.matchFields?.[0]?.values?.[0];
}

export const keySecretName = (training: TrainingJob): string => `${nameOf(training)}-federated`;
const coordinatorName = (training: TrainingJob): string => `${nameOf(training)}-coordinator`;

/** A name of its own for each node, also where both are long. */
function clientName(training: TrainingJob, node: string): string {
  const name = `${nameOf(training)}-client-${node}`;
  if (name.length <= 253) return name;
  const hash = createHash('sha256').update(node).digest('hex').slice(0, 16);
  return `${nameOf(training)}-client-${hash}`;
}

const labelsOf = (training: TrainingJob, role: 'coordinator' | 'client'): Record<string, string> => ({
  [trainingJobLabel]: nameOf(training),
  [roleLabel]: role,
});

/** A node that is away for a while comes back to its rounds. */
function tolerationsOf({ spec }: TrainingJob): Toleration[] {
  const away = [notReadyTaint, unreachableTaint].map((key): Toleration => {
    return { key, operator: 'Exists', effect: 'NoExecute' };
  });
  return [...(spec.tolerations ?? []), ...away];
}

function fromSecret(name: string, secret: string, key: string) {
  return { name, valueFrom: { secretKeyRef: { name: secret, key } } };
}
