import { kinds } from '../../../src/api/kinds/index.ts';
import { apiVersionOf, pathOf } from '../../../src/api/object.ts';
import { mergePatch } from '../../../src/api/patch/merge-patch.ts';
import { coreExamples } from '../../../src/apiserver/examples/core.ts';
import type { Example } from '../../../src/apiserver/examples/example.ts';
import { networkingExamples } from '../../../src/apiserver/examples/networking.ts';
import { storageExamples } from '../../../src/apiserver/examples/storage.ts';
import { workloadExamples } from '../../../src/apiserver/examples/workloads.ts';
import type { Question } from './exchange.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const type = (name: string) => ({ 'content-type': name });
const merge = type('application/merge-patch+json');
const strategic = type('application/strategic-merge-patch+json');
const json = type('application/json-patch+json');
const apply = type('application/apply-patch+yaml');
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

const map = (name: string, more: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
  ...more,
});
const question = (ask: string, body?: unknown, headers?: Record<string, string>): Question => ({
  ask,
  ...(body !== undefined && { body }),
  ...(headers && { headers }),
});

/** Each kind's example made, shown as a table, changed, made wrongly, and deleted. */
function ofExample({ kind: qualified, apiVersion, object, change, invalid }: Example): Question[] {
  const [name] = qualified.split('.');
  const kind = kinds.find((one) => one.kind === name && apiVersionOf(one) === apiVersion)!;
  const namespace = kind.namespaced ? 'default' : undefined;
  const whole = { apiVersion, kind: kind.kind, metadata: { name: '' }, ...object };
  const collection = pathOf(kind, { namespace });
  const single = pathOf(kind, { namespace, name: whole.metadata.name });
  return [
    question(`POST ${collection}?fieldValidation=Strict`, whole),
    question(`GET ${single}?includeObject=None`, undefined, table),
    question(`PATCH ${single}`, change, merge),
    ...invalid.map(([wrong]) => question(`POST ${collection}`, mergePatch(whole, wrong))),
    question(`DELETE ${single}?gracePeriodSeconds=0`),
  ];
}

const discovery = [
  '/version',
  '/api',
  '/apis',
  '/api/v1',
  '/apis/apps/v1',
  '/apis/batch/v1',
  '/apis/nope/v1',
];

/** What is asked of one object, rightly and wrongly. */
const ofOne: Question[] = [
  question(`POST ${maps}`, map('one', { data: { a: '1' } })),
  question(`POST ${maps}`, map('one')),
  ...['GET', 'DELETE'].map((method) => question(`${method} ${maps}/none`)),
  question(`PUT ${maps}/one`, map('other')),
  question(`PUT ${maps}/one`, map('one', { metadata: { name: 'one', resourceVersion: '1' } })),
  question(`POST ${maps}`, map('two', { metadata: { name: 'two', namespace: 'other' } })),
  ...['{"a":', '', 'null', '{}'].map((text) => question(`POST ${maps}`, text)),
  question(`POST ${maps}`, map('x'), type('text/plain')),
  ...[{ data: { a: 1 } }, { data: [] }, { immutable: 'yes' }, { binaryData: { a: '***' } }].map((wrong) =>
    question(`POST ${maps}`, map('x', wrong)),
  ),
  question(`POST ${maps}?fieldValidation=Strict`, map('x', { nope: 1 })),
  ...['fieldValidation=Nope', 'dryRun=Nope', 'dryRun=All', 'fieldManager=%01'].map((query) =>
    question(`POST ${maps}?${query}`, map('x')),
  ),
  ...['a%3D%3D%3Db', 'a%20in%20(', '-a', 'a%3D-'].map((text) =>
    question(`GET ${maps}?labelSelector=${text}`),
  ),
  ...['nope%3D1', 'nope'].map((text) => question(`GET ${maps}?fieldSelector=${text}`)),
  ...['limit=x', 'resourceVersionMatch=Exact', 'sendInitialEvents=true'].map((query) =>
    question(`GET ${maps}?${query}`),
  ),
  question(`GET ${maps}?includeObject=Nope`, undefined, table),
  question(`PATCH ${maps}/one`, {}, type('application/json')),
  question(`PATCH ${maps}/one`, '{', merge),
  ...[{ name: 'z' }, { namespace: 'z' }, { uid: 'x' }, { resourceVersion: '1' }].map((metadata) =>
    question(`PATCH ${maps}/one`, { metadata }, merge),
  ),
  question(`PATCH ${maps}/one?fieldValidation=Strict`, { bogus: 1 }, strategic),
  question(`PATCH ${maps}/one`, 'x', json),
  question(`PATCH ${maps}/one`, map('one'), apply),
  question(`PATCH ${maps}/one?fieldManager=a`, map('one', { kind: 'Secret' }), apply),
  question(`PATCH ${maps}/one?fieldManager=a`, map('one', { data: { a: '9' } }), apply),
  question(`DELETE ${maps}/one?propagationPolicy=Nope`),
  question(`DELETE ${maps}/one`),
];

export const questions: Question[] = [
  ...discovery.map((path) => question(`GET ${path}`)),
  ...[...coreExamples, ...networkingExamples, ...storageExamples, ...workloadExamples].flatMap(ofExample),
  ...ofOne,
];
