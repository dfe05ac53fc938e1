import { integer, list, object, oneOf, required, string, type TypeOf } from '../schema.ts';
import { labelSelector } from './meta.ts';

export const nodeSelectorRequirement = object('io.k8s.api.core.v1.NodeSelectorRequirement', {
  key: required(string()),
  operator: required(oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'])),
  values: list(string()),
});
export type NodeSelectorRequirement = TypeOf<typeof nodeSelectorRequirement>;

export const nodeSelectorTerm = object(
  'io.k8s.api.core.v1.NodeSelectorTerm',
  {
    matchExpressions: list(nodeSelectorRequirement),
    matchFields: list(nodeSelectorRequirement),
  },
  { listType: 'atomic' },
);
export type NodeSelectorTerm = TypeOf<typeof nodeSelectorTerm>;

export const nodeSelector = object(
  'io.k8s.api.core.v1.NodeSelector',
  {
    nodeSelectorTerms: required(list(nodeSelectorTerm)),
  },
  { listType: 'atomic' },
);
export type NodeSelector = TypeOf<typeof nodeSelector>;

export const preferredSchedulingTerm = object('io.k8s.api.core.v1.PreferredSchedulingTerm', {
  preference: required(nodeSelectorTerm),
  weight: required(integer()),
});
export type PreferredSchedulingTerm = TypeOf<typeof preferredSchedulingTerm>;

export const nodeAffinity = object('io.k8s.api.core.v1.NodeAffinity', {
  preferredDuringSchedulingIgnoredDuringExecution: list(preferredSchedulingTerm),
  requiredDuringSchedulingIgnoredDuringExecution: nodeSelector,
});
export type NodeAffinity = TypeOf<typeof nodeAffinity>;

export const podAffinityTerm = object('io.k8s.api.core.v1.PodAffinityTerm', {
  labelSelector,
  matchLabelKeys: list(string()),
  mismatchLabelKeys: list(string()),
  namespaceSelector: labelSelector,
  namespaces: list(string()),
  topologyKey: required(string()),
});
export type PodAffinityTerm = TypeOf<typeof podAffinityTerm>;

export const weightedPodAffinityTerm = object('io.k8s.api.core.v1.WeightedPodAffinityTerm', {
  podAffinityTerm: required(podAffinityTerm),
  weight: required(integer()),
});
export type WeightedPodAffinityTerm = TypeOf<typeof weightedPodAffinityTerm>;

export const podAffinity = object('io.k8s.api.core.v1.PodAffinity', {
  preferredDuringSchedulingIgnoredDuringExecution: list(weightedPodAffinityTerm),
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm),
});
export type PodAffinity = TypeOf<typeof podAffinity>;

export const podAntiAffinity = object('io.k8s.api.core.v1.PodAntiAffinity', {
  preferredDuringSchedulingIgnoredDuringExecution: list(weightedPodAffinityTerm),
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm),
});
export type PodAntiAffinity = TypeOf<typeof podAntiAffinity>;

export const affinity = object('io.k8s.api.core.v1.Affinity', {
  nodeAffinity,
  podAffinity,
  podAntiAffinity,
});
export type Affinity = TypeOf<typeof affinity>;

export const toleration = object('io.k8s.api.core.v1.Toleration', {
  effect: oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  key: string(),
  operator: oneOf(['Equal', 'Exists']),
  tolerationSeconds: integer(),
  value: string(),
});
export type Toleration = TypeOf<typeof toleration>;

export const topologySpreadConstraint = object('io.k8s.api.core.v1.TopologySpreadConstraint', {
  labelSelector,
  matchLabelKeys: list(string()),
  maxSkew: required(integer()),
  minDomains: integer(),
  nodeAffinityPolicy: oneOf(['Honor', 'Ignore']),
  nodeTaintsPolicy: oneOf(['Honor', 'Ignore']),
  topologyKey: required(string()),
  whenUnsatisfiable: required(oneOf(['DoNotSchedule', 'ScheduleAnyway'])),
});
export type TopologySpreadConstraint = TypeOf<typeof topologySpreadConstraint>;
