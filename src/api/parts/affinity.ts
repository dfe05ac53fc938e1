import { follows } from '../checks.ts';
import { qualifiedName } from '../names.ts';
import {
  type Check,
  integer,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { labelSelector } from './meta.ts';

const weightInRange: Check<number> = (value, at, report) => {
  if (value < 1 || value > 100) report.invalid(at, value, 'must be in the range 1-100');
};

export const nodeSelectorRequirement = object(
  'io.k8s.api.core.v1.NodeSelectorRequirement',
  {
    key: required(string({ doc: 'The label.', check: follows(qualifiedName) })),
    operator: required(oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'])),
    values: list(string(), { doc: 'The values that the operator compares with.' }),
  },
  {
    check({ operator, values = [] }, at, report) {
      const valuesAt = at.child('values');
      if (operator === 'In' || operator === 'NotIn') {
        if (values.length === 0)
          report.required(valuesAt, "must be specified when `operator` is 'In' or 'NotIn'");
      } else if (operator === 'Gt' || operator === 'Lt') {
        if (values.length !== 1) {
          report.required(valuesAt, "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
      } else if (values.length > 0) {
        report.forbidden(valuesAt, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
    },
  },
);
export type NodeSelectorRequirement = TypeOf<typeof nodeSelectorRequirement>;

export const nodeSelectorTerm = object(
  'io.k8s.api.core.v1.NodeSelectorTerm',
  {
    matchExpressions: list(nodeSelectorRequirement, { doc: 'Demands on labels; all must hold.' }),
    matchFields: list(nodeSelectorRequirement, { doc: 'Demands on fields; all must hold.' }),
  },
  { listType: 'atomic' },
);
export type NodeSelectorTerm = TypeOf<typeof nodeSelectorTerm>;

export const nodeSelector = object(
  'io.k8s.api.core.v1.NodeSelector',
  {
    nodeSelectorTerms: required(
      list(nodeSelectorTerm, { absent: 'must have at least one node selector term' }),
    ),
  },
  { listType: 'atomic' },
);
export type NodeSelector = TypeOf<typeof nodeSelector>;

export const preferredSchedulingTerm = object('io.k8s.api.core.v1.PreferredSchedulingTerm', {
  preference: required(nodeSelectorTerm),
  weight: required(integer({ doc: 'How much it counts, 1 to 100.', check: weightInRange })),
});
export type PreferredSchedulingTerm = TypeOf<typeof preferredSchedulingTerm>;

export const nodeAffinity = object('io.k8s.api.core.v1.NodeAffinity', {
  preferredDuringSchedulingIgnoredDuringExecution: list(preferredSchedulingTerm, {
    doc: 'Nodes that are preferred, by weight.',
  }),
  requiredDuringSchedulingIgnoredDuringExecution: nodeSelector,
});
export type NodeAffinity = TypeOf<typeof nodeAffinity>;

export const podAffinityTerm = object('io.k8s.api.core.v1.PodAffinityTerm', {
  labelSelector,
  matchLabelKeys: list(string(), { doc: 'Labels whose value must be the same.' }),
  mismatchLabelKeys: list(string(), { doc: 'Labels whose value must differ.' }),
  namespaceSelector: labelSelector,
  namespaces: list(string(), { doc: 'Where the other pods are.' }),
  topologyKey: required(string({ doc: 'The node label whose values are the places.' })),
});
export type PodAffinityTerm = TypeOf<typeof podAffinityTerm>;

export const weightedPodAffinityTerm = object('io.k8s.api.core.v1.WeightedPodAffinityTerm', {
  podAffinityTerm: required(podAffinityTerm),
  weight: required(integer({ doc: 'How much it counts, 1 to 100.', check: weightInRange })),
});
export type WeightedPodAffinityTerm = TypeOf<typeof weightedPodAffinityTerm>;

export const podAffinity = object('io.k8s.api.core.v1.PodAffinity', {
  preferredDuringSchedulingIgnoredDuringExecution: list(weightedPodAffinityTerm, {
    doc: 'Places that are preferred, by weight.',
  }),
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm, {
    doc: 'Places that it must go to.',
  }),
});
export type PodAffinity = TypeOf<typeof podAffinity>;

export const podAntiAffinity = object('io.k8s.api.core.v1.PodAntiAffinity', {
  preferredDuringSchedulingIgnoredDuringExecution: list(weightedPodAffinityTerm, {
    doc: 'Places that are avoided, by weight.',
  }),
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm, {
    doc: 'Places that it must not go to.',
  }),
});
export type PodAntiAffinity = TypeOf<typeof podAntiAffinity>;

export const affinity = object('io.k8s.api.core.v1.Affinity', {
  nodeAffinity,
  podAffinity,
  podAntiAffinity,
});
export type Affinity = TypeOf<typeof affinity>;

export const toleration = object(
  'io.k8s.api.core.v1.Toleration',
  {
    key: string({ doc: "The taint's key; every one if absent.", check: follows(qualifiedName) }),
    operator: oneOf(['Equal', 'Exists'], { doc: 'Equal (the default) or Exists.' }),
    value: string({ doc: "The taint's value." }),
    effect: oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], { doc: 'Every effect if absent.' }),
    tolerationSeconds: integer({ doc: 'How long a NoExecute taint is borne; for ever if absent.' }),
  },
  { doc: 'A taint that does not keep the pod away.', check: checkToleration },
);
export type Toleration = TypeOf<typeof toleration>;

export const topologySpreadConstraint = object(
  'io.k8s.api.core.v1.TopologySpreadConstraint',
  {
    maxSkew: required(
      integer({
        doc: 'By how many pods two domains may differ.',
        check(value, at, report) {
          if (value <= 0) report.invalid(at, value, 'must be greater than zero');
        },
      }),
    ),
    topologyKey: required(
      string({ doc: 'The node label whose values are the domains.', check: follows(qualifiedName) }),
    ),
    whenUnsatisfiable: required(oneOf(['DoNotSchedule', 'ScheduleAnyway'], { doc: 'What to do otherwise.' })),
    labelSelector: refine(labelSelector, { doc: 'Which pods are counted.' }),
    matchLabelKeys: list(string(), { doc: 'Labels of the pod that select with their own value.' }),
    minDomains: integer({ min: 1 }),
    nodeAffinityPolicy: oneOf(['Honor', 'Ignore'], {
      doc: 'Whether nodes that the pod cannot go to are counted.',
    }),
    nodeTaintsPolicy: oneOf(['Honor', 'Ignore'], { doc: 'Whether nodes with taints are counted.' }),
  },
  { doc: 'Spreads pods evenly.' },
);
export type TopologySpreadConstraint = TypeOf<typeof topologySpreadConstraint>;

function checkToleration(
  ...[{ key, operator, value, effect, tolerationSeconds }, at, report]: Parameters<
    Check<{ key?: string; operator?: string; value?: string; effect?: string; tolerationSeconds?: number }>
  >
): void {
  if (!key && operator !== 'Exists') {
    report.invalid(
      at.child('operator'),
      operator ?? '',
      'operator must be Exists when `key` is empty, which means "match all values and all keys"',
    );
  }
  if (operator === 'Exists' && value) {
    report.invalid(at.child('operator'), value, "value must be empty when `operator` is 'Exists'");
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    report.invalid(
      at.child('effect'),
      effect ?? '',
      "effect must be 'NoExecute' when `tolerationSeconds` is set",
    );
  }
}
