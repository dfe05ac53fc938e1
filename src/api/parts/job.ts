import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  boolean,
  integer,
  list,
  object,
  oneOf,
  refine,
  required,
  setList,
  string,
  type TypeOf,
} from '../schema.ts';
import { labelSelector } from './meta.ts';
import { podTemplateSpec } from './podSpec.ts';

export const podFailurePolicyOnExitCodes = object(
  'io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement',
  {
    containerName: string({ doc: 'The container that it speaks of; any if absent.' }),
    operator: required(
      oneOf(['In', 'NotIn'], { doc: 'Whether the exit code must be among the values or not.' }),
    ),
    values: required(
      setList(integer(), { doc: 'Exit codes, in order and without repeats.', mergeKey: undefined }),
    ),
  },
  {
    check({ operator, values }, at, report) {
      for (const [index, value] of values.entries()) {
        const valueAt = at.child('values').index(index);
        if (values.indexOf(value) !== index) report.duplicate(valueAt, value);
        if (operator === 'In' && value === 0)
          report.invalid(valueAt, value, 'must not be 0 for the In operator');
      }
    },
  },
);

export const podFailurePolicyOnPodConditions = object(
  'io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern',
  {
    status: oneOf(['True', 'False', 'Unknown'], { doc: "The condition's status.", default: 'True' }),
    type: required(string({ doc: "The condition's type." })),
  },
);

export const podFailurePolicyRule = object('io.k8s.api.batch.v1.PodFailurePolicyRule', {
  action: required(
    oneOf(['Count', 'FailIndex', 'FailJob', 'Ignore'], {
      doc: 'What a failed pod that matches means for the job.',
    }),
  ),
  onExitCodes: podFailurePolicyOnExitCodes,
  onPodConditions: list(podFailurePolicyOnPodConditions, {
    doc: 'Conditions of the pod; any of them matches.',
  }),
});
export type PodFailurePolicyRule = TypeOf<typeof podFailurePolicyRule>;

export const podFailurePolicy = object('io.k8s.api.batch.v1.PodFailurePolicy', {
  rules: required(list(podFailurePolicyRule, { doc: 'The first that matches a failed pod decides.' })),
});

export const successPolicyRule = object('io.k8s.api.batch.v1.SuccessPolicyRule', {
  succeededCount: integer({ doc: 'How many indexes must have succeeded.', min: 1 }),
  succeededIndexes: string({ doc: 'Which indexes must have succeeded, e.g. 1,3-5.' }),
});

export const successPolicy = object('io.k8s.api.batch.v1.SuccessPolicy', {
  rules: required(list(successPolicyRule, { doc: 'The job has succeeded when any of them holds.' })),
});

const most = 100_000;
export const backoffLimitMost = 2 ** 31 - 1;

const fields = object('io.k8s.api.batch.v1.JobSpec', {
  activeDeadlineSeconds: integer({ doc: 'How long the job may run, all tries together.', min: 0 }),
  backoffLimit: integer({ doc: 'How many pods may fail before the job has failed.', min: 0 }),
  backoffLimitPerIndex: integer({
    doc: 'How many pods of one index may fail.',
    min: 0,
  }),
  completionMode: oneOf(['NonIndexed', 'Indexed'], {
    doc: 'Whether any success counts, or one for each index from 0.',
  }),
  completions: integer({ doc: 'How many pods are to succeed; any one if absent.', min: 0 }),
  managedBy: string({ doc: 'Who runs the job; the job controller if absent.' }),
  manualSelector: boolean({ doc: 'Whether the selector is yours rather than generated.' }),
  maxFailedIndexes: integer({ doc: 'How many indexes may fail before the job has failed.', min: 0 }),
  parallelism: integer({ doc: 'How many pods may run at a time.', min: 0 }),
  podFailurePolicy: refine(podFailurePolicy, {
    doc: 'What failed pods mean, by their exit codes and conditions.',
  }),
  podReplacementPolicy: oneOf(['TerminatingOrFailed', 'Failed'], {
    doc: 'Whether a pod is replaced when it begins to end, or when it has failed.',
  }),
  selector: refine(labelSelector, { doc: 'Which pods belong to it; generated.' }),
  successPolicy: refine(successPolicy, {
    doc: 'When an Indexed job has succeeded before all its indexes have.',
  }),
  suspend: boolean({ doc: 'Whether it waits, without any pods.' }),
  template: required(refine(podTemplateSpec, { default: {} })),
  ttlSecondsAfterFinished: integer({
    doc: 'How long it is kept after it finished; for ever if absent.',
    min: 0,
  }),
});
export type JobSpec = TypeOf<typeof fields>;

/** Without defaults: only a Job gets them, in a CronJob's template it stays as it was written. */
export const jobSpec = refine(fields, { check: checkJobSpec });

function checkJobSpec(spec: JobSpec, at: Path, report: Report): void {
  const { restartPolicy } = spec.template.spec ?? {};
  const policyAt = at.child('template').child('spec').child('restartPolicy');
  if (restartPolicy !== 'OnFailure' && restartPolicy !== 'Never') {
    report.required(policyAt, 'valid values: "OnFailure", "Never"');
  } else if (spec.podFailurePolicy && restartPolicy !== 'Never') {
    report.invalid(policyAt, restartPolicy, 'only "Never" is supported when podFailurePolicy is specified');
  }
  checkIndexed(spec, at, report);
  checkFailureRules(spec, at.child('podFailurePolicy').child('rules'), report);
}

function checkIndexed(spec: JobSpec, at: Path, report: Report): void {
  const { completions, parallelism = 1, backoffLimitPerIndex, maxFailedIndexes, successPolicy } = spec;
  if (spec.completionMode === 'Indexed') {
    if (completions === undefined) {
      report.required(at.child('completions'), 'when completion mode is Indexed');
    }
    if (parallelism > most) {
      report.invalid(
        at.child('parallelism'),
        parallelism,
        `must be less than or equal to ${most} when completion mode is Indexed`,
      );
    }
    if (maxFailedIndexes !== undefined && maxFailedIndexes > (completions ?? 0)) {
      report.invalid(
        at.child('maxFailedIndexes'),
        maxFailedIndexes,
        'must be less than or equal to completions',
      );
    }
  } else {
    const only = 'requires indexed completion mode';
    if (backoffLimitPerIndex !== undefined)
      report.invalid(at.child('backoffLimitPerIndex'), backoffLimitPerIndex, only);
    if (maxFailedIndexes !== undefined) report.invalid(at.child('maxFailedIndexes'), maxFailedIndexes, only);
    if (successPolicy !== undefined) report.invalid(at.child('successPolicy'), successPolicy, only);
  }
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined) {
    report.required(at.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified');
  }
  for (const [index, rule] of (successPolicy?.rules ?? []).entries()) {
    checkSuccessRule(rule, at.child('successPolicy').child('rules').index(index), report);
  }
}

function checkSuccessRule(rule: TypeOf<typeof successPolicyRule>, at: Path, report: Report): void {
  const { succeededCount, succeededIndexes } = rule;
  if (succeededCount === undefined && succeededIndexes === undefined) {
    report.required(at, 'at least one of succeededCount or succeededIndexes must be specified');
  }
  if (succeededIndexes !== undefined && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(succeededIndexes)) {
    report.invalid(at.child('succeededIndexes'), succeededIndexes, 'error parsing succeededIndexes');
  }
}

function checkFailureRules(spec: JobSpec, at: Path, report: Report): void {
  const names = [
    ...(spec.template.spec?.containers ?? []),
    ...(spec.template.spec?.initContainers ?? []),
  ].map(({ name }) => name);
  for (const [index, { action, onExitCodes, onPodConditions }] of (
    spec.podFailurePolicy?.rules ?? []
  ).entries()) {
    const ruleAt = at.index(index);
    const hasConditions = (onPodConditions?.length ?? 0) > 0;
    if (onExitCodes && hasConditions) {
      report.invalid(
        ruleAt,
        { action, onExitCodes, onPodConditions },
        'specifying both OnExitCodes and OnPodConditions is not supported',
      );
    } else if (!onExitCodes && !hasConditions) {
      report.invalid(ruleAt, { action }, 'specifying one of OnExitCodes and OnPodConditions is required');
    }
    const { containerName } = onExitCodes ?? {};
    if (containerName !== undefined && !names.includes(containerName)) {
      report.invalid(
        ruleAt.child('onExitCodes').child('containerName'),
        containerName,
        'must be one of the container or initContainer names in the pod template',
      );
    }
    if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
      report.invalid(ruleAt.child('action'), action, 'requires the backoffLimitPerIndex to be set');
    }
  }
}
