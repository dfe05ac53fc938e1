import { intOrPercentErrors } from '../int-or-string.ts';
import type { ScalePaths } from '../kind.ts';
import { matchesLabels, requirementsOf } from '../label-selector.ts';
import type { Path } from '../path.ts';
import { GoText, goQuoted, type Report } from '../report.ts';
import type { Check } from '../schema.ts';
import type { LabelSelector } from './meta.ts';
import type { PodTemplateSpec } from './podSpec.ts';

interface WorkloadSpec {
  selector?: LabelSelector;
  template?: PodTemplateSpec;
}

/** What every kind that keeps pods of one template running demands of selector and template. */
export function checkWorkload(
  what: string,
  { selector, template }: WorkloadSpec,
  at: Path,
  report: Report,
): void {
  const labels = template?.metadata?.labels;
  if (selector) {
    const requirements = requirementsOf(selector);
    if (requirements.length === 0) {
      report.invalid(at.child('selector'), selector, `empty selector is invalid for ${what}`);
    } else if (!matchesLabels(requirements, labels)) {
      const labelsAt = at.child('template').child('metadata').child('labels');
      report.invalid(labelsAt, labels ?? {}, '`selector` does not match template `labels`');
    }
  }
  const specAt = at.child('template').child('spec');
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {};
  if (restartPolicy !== undefined && restartPolicy !== 'Always') {
    report.unsupported(specAt.child('restartPolicy'), restartPolicy, ['Always']);
  }
  if (activeDeadlineSeconds !== undefined) {
    const kind = what === 'statefulset' ? 'StatefulSet' : 'ReplicaSet';
    const why = `activeDeadlineSeconds in ${kind} is not Supported`;
    report.forbidden(specAt.child('activeDeadlineSeconds'), why);
  }
}

const goIntOrString = (value: number | string) =>
  typeof value === 'number'
    ? value
    : new GoText(`intstr.IntOrString{Type:1, IntVal:0, StrVal:${goQuoted(value)}}`);

export const checkCountOrPercent: Check<number | string> = (value, at, report) => {
  for (const wrong of intOrPercentErrors(value)) report.invalid(at, goIntOrString(value), wrong);
};

/** Of a part that can be missing: no more than all. */
export const checkShare: Check<number | string> = (value, at, report) => {
  checkCountOrPercent(value, at, report);
  if (typeof value === 'string' && Number.parseInt(value, 10) > 100) {
    report.invalid(at, goIntOrString(value), 'must not be greater than 100%');
  }
};

/** The scale subresource of every kind that keeps a number of pods of one template. */
export const replicaScale: ScalePaths = {
  specReplicas: '.spec.replicas',
  statusReplicas: '.status.replicas',
  selector: '.spec.selector',
};
