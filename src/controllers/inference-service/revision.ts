import { createHash } from 'node:crypto';
import type { Deployment } from '../../api/kinds/deployment.ts';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { ReplicaSet } from '../../api/kinds/replicaSet.ts';
import { modelReferenceAnnotation } from '../../api/model-annotations.ts';
import type { Template } from './component.ts';
import {
  beforeAnnotation,
  graphAnnotation,
  revisionAnnotation,
  rolloutAnnotation,
  templateAnnotation,
} from './names.ts';
import { modelVolume } from './storage.ts';

/** What a predictor's specification comes to: the same digests mean the same pods. */
export interface Target {
  template: Template;
  /** Of the template without its model. */
  templateDigest: string;
  /** The model as it is named. */
  reference: string;
  /** The digest of the model's graph, where the registry knows it. */
  graph: string | undefined;
}

/** A revision that ran, as its Deployment's history has it. */
export interface Revision {
  template: Template;
  annotations: Record<string, string>;
}

export function targetOf(template: Template, reference: string, graph: string | undefined): Target {
  const volumes = template.spec?.volumes?.map((volume) => (isModel(volume) ? { name: volume.name } : volume));
  const bare = { ...template, spec: { ...template.spec!, ...(volumes && { volumes }) } };
  return { template, templateDigest: digestOf(bare), reference, graph };
}

export function digestOf(template: Template): string {
  return createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 16);
}

/** How a Deployment stands to what is wanted: it is that, its pods can be given the weights, or it needs other pods. */
export type Difference = 'none' | 'weights' | 'pods';

export function differenceOf(
  deployment: Deployment,
  target: Target,
  inference: InferenceService,
): Difference {
  const annotations = deployment.metadata?.annotations ?? {};
  if (annotations[templateAnnotation] !== target.templateDigest) return 'pods';
  if (annotations[modelReferenceAnnotation] === target.reference) return 'none';
  const isForced = inference.metadata?.annotations?.[rolloutAnnotation] === 'true';
  return !isForced && target.graph !== undefined && annotations[graphAnnotation] === target.graph
    ? 'weights'
    : 'pods';
}

export function annotationsFor(target: Target, revision: string): Record<string, string> {
  return {
    [revisionAnnotation]: revision,
    [templateAnnotation]: target.templateDigest,
    [modelReferenceAnnotation]: target.reference,
    [graphAnnotation]: target.graph ?? '',
  };
}

/** The template with the model that the Deployment's own names: its pods are given another one without a rollout. */
export function withModelOf(template: Template, { spec }: Deployment): Template {
  const before = spec?.template.spec?.volumes?.find(isModel);
  const volumes = template.spec?.volumes?.map((volume) => (before && isModel(volume) ? before : volume));
  return { ...template, spec: { ...template.spec!, ...(volumes && { volumes }) } };
}

function isModel({ name, image }: { name: string; image?: unknown }): boolean {
  return name === modelVolume && image !== undefined;
}

export function revisionOf(deployment: Deployment | undefined): string | undefined {
  return deployment?.metadata?.annotations?.[revisionAnnotation];
}

/**
 * The revision of that name in a Deployment's history: its ReplicaSets keep the annotations of then, and where its pods were
 * given other weights in place, it notes itself what they had before.
 */
export function revisionNamed(
  name: string | undefined,
  deployment: Deployment | undefined,
  replicaSets: readonly ReplicaSet[],
): Revision | undefined {
  if (name === undefined || !deployment) return undefined;
  const found = replicaSets.find(({ metadata }) => metadata?.annotations?.[revisionAnnotation] === name);
  if (found?.spec?.template) return revisionFrom(found.spec.template, found.metadata?.annotations ?? {});
  const { [beforeAnnotation]: before, ...annotations } = deployment.metadata?.annotations ?? {};
  const template = deployment.spec?.template;
  if (!template || !before?.startsWith(`${name}=`)) return undefined;
  const reference = before.slice(name.length + 1);
  const then = { ...annotations, [revisionAnnotation]: name, [modelReferenceAnnotation]: reference };
  return revisionFrom(template, then);
}

function revisionFrom(template: Template, annotations: Readonly<Record<string, string>>): Revision {
  const { 'pod-template-hash': _hash, ...labels } = template.metadata?.labels ?? {};
  const kept = [revisionAnnotation, templateAnnotation, modelReferenceAnnotation, graphAnnotation];
  return {
    template: { ...template, metadata: { ...template.metadata, labels } },
    annotations: Object.fromEntries(kept.map((key) => [key, annotations[key] ?? ''])),
  };
}

/** What is noted on a Deployment whose pods are given other weights in place. */
export function noteBefore({ metadata }: Deployment): Record<string, string> {
  const { [revisionAnnotation]: revision, [modelReferenceAnnotation]: reference } =
    metadata?.annotations ?? {};
  return revision && reference ? { [beforeAnnotation]: `${revision}=${reference}` } : {};
}

/** Names as Knative gives them: `<predictor>-00001`, counted on from the highest there has been. */
export function nextRevision(predictor: string, known: readonly (string | undefined)[]): string {
  const numbers = known.map((name) => Number(/-(\d{5,})$/.exec(name ?? '')?.[1] ?? 0));
  return `${predictor}-${String(Math.max(0, ...numbers) + 1).padStart(5, '0')}`;
}

/** Whether all pods are of the newest template, and as many as wanted are available. */
export function isRolledOut(deployment: Deployment | undefined): boolean {
  if (!deployment?.status) return false;
  const { metadata, spec, status } = deployment;
  const wanted = spec?.replicas ?? 1;
  return (
    (status.observedGeneration ?? 0) >= (metadata?.generation ?? 0) &&
    (status.updatedReplicas ?? 0) >= wanted &&
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) &&
    (status.availableReplicas ?? 0) >= Math.min(1, wanted)
  );
}
