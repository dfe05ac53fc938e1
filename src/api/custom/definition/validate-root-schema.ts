import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { hasRules } from '../evaluate-rules.ts';
import type { JsonSchema } from '../json-schema.ts';
import { checkRules } from './rule-costs.ts';
import { structuralFaults } from './structural.ts';
import { validateDefaults } from './validate-defaults.ts';
import { validateRules } from './validate-rules.ts';
import { validateSchema } from './validate-schema.ts';

/** With a status that is validated apart, these alone keep their meaning at the root. The text is Kubernetes' own. */
const allowedAtRoot =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';
const allowedNames = new Set(allowedAtRoot.split(' '));

/** Reports what is wrong with the schema of a version. */
export function validateRootSchema(
  schema: JsonSchema,
  at: Path,
  report: Report,
  { hasStatus }: { hasStatus: boolean },
): void {
  if (hasStatus) checkAllowed(schema, at, report);
  if (schema.nullable) report.forbidden(at.child('nullable'), 'nullable cannot be true at the root');
  const faults = structuralFaults(schema, at);
  report.causes.push(...faults);
  const isStructural = faults.length === 0;
  const defaultFaults = isStructural ? validateDefaults(schema, at) : [];
  report.causes.push(...defaultFaults);
  const before = report.causes.length;
  validateSchema(schema, at, report);
  // Rules are only looked into where the schema is fine: what is wrong with it would make nonsense of them.
  if (!isStructural || defaultFaults.length > 0 || report.causes.length > before) return;
  validateRules(schema, at, report);
  if (report.causes.length === before && hasRules(schema)) checkRules(schema, at, report);
}

function checkAllowed(schema: JsonSchema, at: Path, report: Report): void {
  if (schema.type && schema.type !== 'object') {
    const why =
      'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    report.invalid(at.child('type'), schema.type, why);
    return;
  }
  const isOther = Object.entries(schema).some(
    ([name, value]) => value !== false && value !== '' && !allowedNames.has(goName(name)),
  );
  if (!isOther) return;
  const why = `only [${allowedAtRoot}] fields are allowed at the root of the schema if the status subresource is enabled`;
  report.invalid(at, schema, why);
}

/** `x-kubernetes-validations` -> `XValidations`. */
function goName(name: string): string {
  return name
    .replace('x-kubernetes-', 'x-')
    .split('-')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
}
