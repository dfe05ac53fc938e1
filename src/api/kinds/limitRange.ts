import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { qualifiedName } from '../names.ts';
import type { Path } from '../path.ts';
import { compareQuantities, quantityNumber, quantityValue } from '../quantity.ts';
import type { Report } from '../report.ts';
import { list, map, object, quantity, required, string } from '../schema.ts';
import { plainColumns } from '../table.ts';

const amounts = (doc: string) => map(quantity(), { doc });

export interface LimitRangeItem {
  type: string;
  default?: Record<string, string>;
  defaultRequest?: Record<string, string>;
  max?: Record<string, string>;
  maxLimitRequestRatio?: Record<string, string>;
  min?: Record<string, string>;
}

export const limitRangeItem = object(
  'io.k8s.api.core.v1.LimitRangeItem',
  {
    default: amounts('The limits of a container that names none.'),
    defaultRequest: amounts('The requests of a container that names none.'),
    max: amounts('The largest amounts.'),
    maxLimitRequestRatio: amounts('How many times its request a limit may be.'),
    min: amounts('The smallest amounts.'),
    type: required(string({ doc: 'What is limited: Container, Pod or PersistentVolumeClaim.' })),
  },
  { complete: completeItem },
);

const schema = kindSchema(
  'io.k8s.api.core.v1.LimitRange',
  { apiVersion: 'v1', kind: 'LimitRange' },
  {
    spec: object('io.k8s.api.core.v1.LimitRangeSpec', {
      limits: required(
        list(limitRangeItem, { doc: 'The limits, one item a type.', mayBeEmpty: true, check: checkItems }),
      ),
    }),
  },
  'LimitRange sets bounds and defaults for what is made in its namespace.',
);

export interface LimitRange extends ObjectOf<typeof schema> {}

export const limitRange = defineKind<LimitRange>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  shortNames: ['limits'],
  namespaced: true,
  schema,
  columns: plainColumns,
});

/** A limit that is not named is the maximum, a request that is not named the limit, or else the minimum. */
function completeItem(item: LimitRangeItem): void {
  if (item.type !== 'Container') return;
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
}

const fields = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

function checkItems(items: LimitRangeItem[], at: Path, report: Report): void {
  const types = new Set<string>();
  for (const [index, item] of items.entries()) {
    const itemAt = at.index(index);
    for (const wrong of typeErrors(item.type)) report.invalid(itemAt.child('type'), item.type, wrong);
    if (types.has(item.type)) report.duplicate(itemAt.child('type'), item.type);
    types.add(item.type);
    checkItem(item, itemAt, report);
  }
}

function typeErrors(type: string): string[] {
  const wrong = qualifiedName(type);
  if (wrong.length > 0 || type.includes('/')) return wrong;
  return ['Pod', 'Container', 'PersistentVolumeClaim'].includes(type)
    ? []
    : ['must be a standard limit type or fully qualified'];
}

function checkItem(item: LimitRangeItem, at: Path, report: Report): void {
  for (const field of ['default', 'defaultRequest'] as const) {
    if (item.type !== 'Pod' || Object.keys(item[field] ?? {}).length === 0) continue;
    report.forbidden(at.child(field), "may not be specified when `type` is 'Pod'");
  }
  if (item.type === 'PersistentVolumeClaim' && !item.min?.storage && !item.max?.storage) {
    const why = 'either minimum or maximum storage value is required, but neither was provided';
    report.required(at.child('limits'), why);
  }
  for (const field of fields) {
    for (const name of Object.keys(item[field] ?? {})) {
      for (const wrong of qualifiedName(name)) report.invalid(at.child(field).key(name), name, wrong);
    }
  }
  for (const name of new Set(fields.flatMap((field) => Object.keys(item[field] ?? {})))) {
    checkAmounts(item, name, at, report);
  }
}

function checkAmounts(item: LimitRangeItem, name: string, at: Path, report: Report): void {
  const of = (field: (typeof fields)[number]) => item[field]?.[name];
  const isMore = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
  const [min, max, limit, request] = [of('min'), of('max'), of('default'), of('defaultRequest')];
  const wrong = (field: (typeof fields)[number], value: string | undefined, why: string) =>
    report.invalid(at.child(field).key(name), value, why);
  if (isMore(min, max)) wrong('min', min, `min value ${min} is greater than max value ${max}`);
  if (isMore(min, request)) {
    wrong('defaultRequest', request, `min value ${min} is greater than default request value ${request}`);
  }
  if (isMore(request, max)) {
    wrong('defaultRequest', request, `default request value ${request} is greater than max value ${max}`);
  }
  if (isMore(request, limit)) {
    wrong(
      'defaultRequest',
      request,
      `default request value ${request} is greater than default limit value ${limit}`,
    );
  }
  if (isMore(min, limit)) wrong('default', min, `min value ${min} is greater than default value ${limit}`);
  if (isMore(limit, max)) wrong('default', max, `default value ${limit} is greater than max value ${max}`);
  checkRatio(
    { ratio: of('maxLimitRequestRatio'), min, max },
    at.child('maxLimitRequestRatio').key(name),
    report,
  );
}

function checkRatio(
  { ratio, min, max }: { ratio: string | undefined; min: string | undefined; max: string | undefined },
  at: Path,
  report: Report,
): void {
  if (ratio === undefined) return;
  if (compareQuantities(ratio, 1) < 0) report.invalid(at, ratio, `ratio ${ratio} is less than 1`);
  if (min === undefined || max === undefined) return;
  const largest = quantityNumber(max) / quantityNumber(min);
  if (quantityValue(ratio) <= largest) return;
  report.invalid(at, ratio, `ratio ${ratio} is greater than max/min = ${largest.toFixed(6)}`);
}
