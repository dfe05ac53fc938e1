import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionVersion,
} from '../../kinds/customResourceDefinition.ts';
import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { followFieldPath } from './field-path.ts';
import { validateRootSchema } from './validate-root-schema.ts';

/** How many fields may be selectable in a version. */
export const selectableFieldsMax = 8;
const deprecationCharactersMax = 256;

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

export function validateVersion(version: CustomResourceDefinitionVersion, at: Path, report: Report): void {
  validateDeprecation(version, at.child('deprecationWarning'), report);
  const schema = version.schema?.openAPIV3Schema;
  const { status, scale } = version.subresources ?? {};
  if (schema) {
    validateRootSchema(schema, at.child('schema').child('openAPIV3Schema'), report, {
      hasStatus: status !== undefined,
    });
  }
  if (scale) validateScale(scale, at.child('subresources'), report);
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
    validateColumn(column, at.child('additionalPrinterColumns').index(index), report);
  }
  validateSelectableFields(version, at.child('selectableFields'), report);
}

function validateDeprecation(
  { deprecated, deprecationWarning: text }: CustomResourceDefinitionVersion,
  at: Path,
  report: Report,
): void {
  if (text === undefined) return;
  if (!deprecated) {
    report.invalid(at, text, 'can only be set for deprecated versions');
    return;
  }
  if (Buffer.byteLength(text) > deprecationCharactersMax) {
    report.invalid(at, text, `must be <= ${deprecationCharactersMax} characters long`);
  }
  if (text === '') report.invalid(at, text, 'must not be an empty string');
  const hidden = text.search(/[^\P{C}]|[^\P{Z} ]/u);
  if (hidden >= 0) {
    const why = `must only contain printable UTF-8 characters; non-printable character found at index ${hidden}`;
    report.invalid(at, text, why);
  }
}

type Scale = NonNullable<NonNullable<CustomResourceDefinitionVersion['subresources']>['scale']>;

function validateScale(scale: Scale, at: Path, report: Report): void {
  const specAt = at.child('scale.specReplicasPath');
  const statusAt = at.child('scale.statusReplicasPath');
  const selectorAt = at.child('scale.labelSelectorPath');
  checkPath(scale.specReplicasPath, specAt, report, ['.spec.'], 'should be a json path under .spec');
  checkPath(scale.statusReplicasPath, statusAt, report, ['.status.'], 'should be a json path under .status');
  if (scale.labelSelectorPath) {
    const why = 'should be a json path under either .spec or .status';
    checkPath(scale.labelSelectorPath, selectorAt, report, ['.spec.', '.status.'], why);
  }
}

function checkPath(text: string, at: Path, report: Report, under: readonly string[], why: string): void {
  if (!text) report.required(at);
  else if (!text.startsWith('.')) report.invalid(at, text, 'must be a simple json path starting with .');
  else if (!under.some((prefix) => text.startsWith(prefix))) report.invalid(at, text, why);
}

function validateColumn(column: CustomResourceColumnDefinition, at: Path, report: Report): void {
  const types = `must be one of ${columnTypes.join(',')}`;
  if (!column.name) report.required(at.child('name'));
  if (!column.type) report.required(at.child('type'), types);
  else if (!columnTypes.includes(column.type)) report.invalid(at.child('type'), column.type, types);
  if (column.format && !columnFormats.includes(column.format)) {
    report.invalid(at.child('format'), column.format, `must be one of ${columnFormats.join(',')}`);
  }
  checkPath(column.jsonPath, at.child('JSONPath'), report, ['.'], '');
}

function validateSelectableFields(
  { selectableFields = [], schema }: CustomResourceDefinitionVersion,
  at: Path,
  report: Report,
): void {
  const root = schema?.openAPIV3Schema;
  if (selectableFields.length === 0 || !root) return;
  const seen = new Set<string>();
  for (const [index, { jsonPath }] of selectableFields.entries()) {
    const pathAt = at.index(index).child('jsonPath');
    if (!jsonPath) {
      report.required(pathAt);
      continue;
    }
    const found = followFieldPath(root, jsonPath, { allowsBrackets: false });
    if (typeof found === 'string') {
      report.invalid(pathAt, jsonPath, `is an invalid path: ${found}`);
      continue;
    }
    if (found.names[0] === 'metadata')
      report.invalid(pathAt, jsonPath, 'must not point to fields in metadata');
    if (!['string', 'boolean', 'integer'].includes(found.schema.type ?? '')) {
      const why =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      report.invalid(pathAt, jsonPath, why);
    }
    if (seen.has(found.names.join('.'))) report.duplicate(pathAt, jsonPath);
    seen.add(found.names.join('.'));
  }
  if (seen.size > selectableFieldsMax) report.tooMany(at, seen.size, selectableFieldsMax);
}
