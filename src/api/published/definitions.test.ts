import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { kinds } from '../kinds/index.ts';
import { reviewDefinitions } from '../kinds/reviews.ts';
import type { SchemaNode } from '../schema.ts';

const published: Record<string, Record<string, string>> = JSON.parse(
  readFileSync(new URL('definitions.json', import.meta.url), 'utf8'),
);

/** What is otherwise than Kubernetes 1.32 publishes it, and why. A difference that goes away must leave this list too. */
const differences: Record<string, string> = {
  'Event.metadata': 'an event without metadata is refused for its name',
  'EventSeries.count': 'Kubernetes asks for it in words of its own, and only where the series changes',
  'EventSeries.lastObservedTime': 'as above',
  'Event.eventTime': 'asked for only when an event is made',
  'JSONSchemaProps.x-kubernetes-validations': 'a strategic merge patch replaces the rules',
  'PersistentVolumeSpec.claimRef': 'server-side apply owns it as a whole',
  'PersistentVolumeClaimStatus.allocatedResourceStatuses': 'server-side apply owns it as a whole',
  'ConfigMapKeySelector.name': 'optional in the schema, required by validation',
  'SecretKeySelector.name': 'optional in the schema, required by validation',
  'ConfigMapEnvSource.name': 'optional in the schema, required by validation',
  'SecretEnvSource.name': 'optional in the schema, required by validation',
  'ConfigMapVolumeSource.name': 'optional in the schema, required by validation',
  'SecretVolumeSource.secretName': 'optional in the schema, required by validation',
  'ImageVolumeSource.reference': 'optional in the schema, required by validation',
  'ExecAction.command': 'optional in the schema, required by validation',
  'CertificateSigningRequestSpec.usages': 'optional in the schema, required by validation',
  'CertificateSigningRequestSpec.request': 'bytes are one value, without being called atomic',
  'CertificateSigningRequestStatus.certificate': 'bytes are one value, without being called atomic',
  'APIServiceSpec.caBundle': 'bytes are one value, without being called atomic',
  'StatefulSetSpec.serviceName': 'required in the schema, not asked for by validation',
  'PodFailurePolicyOnPodConditionsPattern.status': 'required in the schema, but has a default',
  'PriorityClass.value': 'absent is 0, as in Go',
  'RuleWithOperations.apiGroups': 'optional in the schema, required by validation',
  'RuleWithOperations.apiVersions': 'optional in the schema, required by validation',
  'RuleWithOperations.operations': 'optional in the schema, required by validation',
  'RuleWithOperations.resources': 'optional in the schema, required by validation',
};

/** Types that hold any JSON, or one of several shapes, which the schema does not tell. */
const shapeless = /[\w.-]+\.(RawExtension|FieldsV1|JSON|JSONSchemaPropsOr\w+)(?![\w.])/g;

/** Types that are not Kubernetes' own. */
const isForeign = (name: string) => !name.startsWith('io.k8s.') || name.includes('.custom');

const meta = 'apimachinery.pkg.apis.meta.v1';
const typeNames: Record<string, string> = {
  integer: 'integer',
  number: 'number:double',
  bytes: 'string:byte',
  time: `${meta}.Time`,
  microTime: `${meta}.MicroTime`,
  quantity: 'apimachinery.pkg.api.resource.Quantity',
  intOrString: 'apimachinery.pkg.util.intstr.IntOrString',
};

function typeOf(node: SchemaNode): string {
  if (node.type === 'list') return `[${typeOf(node.item!)}]`;
  if (node.type === 'map') return `{${typeOf(node.item!)}}`;
  if (node.type === 'object') return node.name!.replace(/^io\.k8s\./, '');
  return typeNames[node.type] ?? node.type;
}

function traitsOf(node: SchemaNode): string {
  if (node.replaces) return ' patch=replace';
  if (node.type === 'map') return node.listType === 'atomic' ? ' atomic' : '';
  if (node.type === 'object')
    return node.retainKeys && node.name?.endsWith('Strategy') ? ' patch=retainKeys' : '';
  if (node.type !== 'list') return '';
  const keys =
    node.listType === 'map' ? ` map=${node.listKeys!.join(',')}` : node.listType ? ` ${node.listType}` : '';
  if (node.mergeKey === undefined) return keys;
  const strategy = node.item?.retainKeys ? 'merge,retainKeys' : 'merge';
  return `${keys} patch=${strategy}${node.mergeKey === '' ? '' : ` by=${node.mergeKey}`}`;
}

/** All object types that the kinds are made of, by name. */
function objectTypes(): Map<string, SchemaNode> {
  const found = new Map<string, SchemaNode>();
  const visit = (given: SchemaNode): void => {
    const node = given.base ?? given;
    if (node.name && found.has(node.name)) return;
    if (node.name) found.set(node.name, node);
    if (node.item) visit(node.item);
    for (const field of Object.values(node.fields ?? {})) visit(field);
  };
  for (const { schema, custom } of [...kinds, ...reviewDefinitions]) if (!custom) visit(schema);
  return found;
}

test('every type has the fields that Kubernetes publishes, with their types and the way they merge', () => {
  const unexplained: string[] = [];
  const explained = new Set<string>();
  const types = [...objectTypes()].filter(
    ([name, { fields }]) => !isForeign(name) && Object.keys(fields!).length > 0,
  );
  assert.ok(types.length > 300, `only ${types.length} types were looked at`);
  for (const [fullName, node] of types) {
    const short = fullName.split('.').at(-1)!;
    const theirs = published[fullName.replace(/^io\.k8s\./, '')];
    if (!theirs) {
      unexplained.push(`${fullName} is not published`);
      continue;
    }
    for (const field of new Set([...Object.keys(theirs), ...Object.keys(node.fields!)])) {
      const ours = node.fields![field];
      const text = ours && `${typeOf(ours)}${ours.required ? '!' : ''}${traitsOf(ours)}`;
      const wanted = theirs[field]?.replaceAll(/integer:int(32|64)/g, 'integer').replaceAll(shapeless, 'any');
      if (text === wanted) continue;
      const place = `${short}.${field}`;
      if (differences[place]) explained.add(place);
      else unexplained.push(`${fullName} ${field}: ${text ?? 'absent'}, published as ${wanted ?? 'absent'}`);
    }
  }
  assert.deepEqual(unexplained, []);
  assert.deepEqual(
    Object.keys(differences).filter((place) => !explained.has(place)),
    [],
    'these are as published now',
  );
});
