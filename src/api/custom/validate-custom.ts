import type { StatusCause } from '../../base/errors.ts';
import type { CustomResourceDefinitionVersion } from '../kinds/customResourceDefinition.ts';
import type { KubeObject } from '../object.ts';
import { Path } from '../path.ts';
import { Report } from '../report.ts';
import { Correlated } from './correlate.ts';
import { validateEmbedded } from './embedded.ts';
import { evaluateRules, hasRules } from './evaluate-rules.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateListTypes } from './list-types.ts';
import { type Scale, validateScale } from './validate-scale.ts';
import { validateValue } from './validate-value.ts';

export interface CustomRules {
  schema: JsonSchema;
  scale: Scale | undefined;
}

export type VersionSubresources = CustomResourceDefinitionVersion['subresources'];

/** With one of these in an object, rules in CEL would fail for a reason that is told already. */
const blocking = ['FieldValueRequired', 'FieldValueTooLong', 'FieldValueTooMany', 'FieldValueTypeInvalid'];

/** What is wrong with a custom resource, beside its metadata; on an update, what did not change may stay wrong. */
export function validateCustom(
  { schema, scale }: CustomRules,
  next: KubeObject,
  previous: KubeObject | undefined,
): StatusCause[] {
  const correlated = previous && new Correlated(schema, next, previous);
  const report = new Report();
  report.causes.push(...validateValue(schema, next, { correlated }));
  if (scale) validateScale(scale, next, report);
  validateEmbedded({ ...schema, 'x-kubernetes-embedded-resource': false }, next, new Path(), report);
  if (!previous || hasDistinctItems(schema, previous)) validateListTypes(schema, next, new Path(), report);
  if (!hasRules(schema)) return report.causes;
  if (isBlocked(report.causes)) {
    const why =
      'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
    report.invalid(new Path('<nil>'), 'null', why);
    return report.causes;
  }
  return [...report.causes, ...evaluateRules(schema, next, previous)];
}

function hasDistinctItems(schema: JsonSchema, object: KubeObject): boolean {
  const report = new Report();
  validateListTypes(schema, object, new Path(), report);
  return report.causes.length === 0;
}

/** Whether something is so wrong that rules cannot be looked at. */
function isBlocked(causes: readonly StatusCause[]): boolean {
  return causes.some(({ reason }) => blocking.includes(reason));
}
