import { matchesLabels, requirementsOf } from '../api/label-selector.ts';
import type { LabelSelector } from '../api/parts/meta.ts';

type Labels = Record<string, string>;

/** Whether `labels` has every pair of `wanted`. */
export function hasLabels(wanted: Readonly<Labels>, labels: Readonly<Labels> = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** Whether all requirements hold; an empty selector matches everything, an absent one nothing. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  return selector !== undefined && matchesLabels(requirementsOf(selector), labels);
}
