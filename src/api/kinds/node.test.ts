import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../defaults.ts';
import { validate, validateUpdate } from '../validate.ts';
import { type Node, node } from './node.ts';

type Spec = NonNullable<Node['spec']>;

const nodeWith = (spec: Spec, status: Node['status'] = undefined) =>
  defaults(node, { metadata: { name: 'n' }, spec, ...(status && { status }) });
const said = (causes: { field?: string; message?: string }[]) =>
  causes.map(({ field, message }) => `${field}: ${message}`);
const wrong = (...given: Parameters<typeof nodeWith>) => said(validate(node, nodeWith(...given)));

const ipv4 = '10.0.0.0/24';
const ipv6 = '2001:db8::/64';

test('podCIDR is the first of podCIDRs, and what it says counts', () => {
  const ranges = (spec: Spec) => {
    const { podCIDR, podCIDRs } = nodeWith(spec).spec!;
    return { podCIDR, podCIDRs };
  };
  assert.deepEqual(ranges({ podCIDR: ipv4 }), { podCIDR: ipv4, podCIDRs: [ipv4] });
  assert.deepEqual(ranges({ podCIDRs: [ipv4, ipv6] }), { podCIDR: ipv4, podCIDRs: [ipv4, ipv6] });
  assert.deepEqual(ranges({ podCIDR: ipv4, podCIDRs: ['10.0.1.0/24', ipv6] }), {
    podCIDR: ipv4,
    podCIDRs: [ipv4],
  });
});

test('a Node has one range of pod addresses for each family', () => {
  const onePerFamily = (texts: string) =>
    `spec.podCIDRs: Invalid value: []string{${texts}}: may specify no more than one CIDR for each IP family`;
  const noRange = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
  assert.deepEqual([...wrong({ podCIDRs: [ipv6, ipv4] }), ...wrong({ podCIDR: '10.0.00.1/24' })], []);
  assert.deepEqual(wrong({ podCIDR: '10.0.0.0/33' }), [
    `spec.podCIDRs[0]: Invalid value: "10.0.0.0/33": ${noRange}`,
  ]);
  assert.deepEqual(wrong({ podCIDRs: [ipv4, 'x'] }), [
    `spec.podCIDRs[1]: Invalid value: "x": ${noRange}`,
    onePerFamily('"10.0.0.0/24", "x"'),
  ]);
  assert.deepEqual(wrong({ podCIDRs: [ipv4, ipv4] }), [
    onePerFamily('"10.0.0.0/24", "10.0.0.0/24"'),
    'spec.podCIDRs[1]: Duplicate value: "10.0.0.0/24"',
  ]);
  assert.deepEqual(wrong({ podCIDRs: [ipv4, ipv6, '10.0.2.0/24'] }), [
    onePerFamily('"10.0.0.0/24", "2001:db8::/64", "10.0.2.0/24"'),
  ]);
});

test('the ranges and the provider id of a Node stay once they are given', () => {
  const change = (before: Spec, after: Spec) => said(validateUpdate(node, nodeWith(after), nodeWith(before)));
  const cannot = (field: string, what: string) => [
    `spec.${field}: Forbidden: node updates may not change ${what} except from "" to valid`,
  ];
  assert.deepEqual(change({}, { podCIDR: ipv4, providerID: 'a' }), []);
  assert.deepEqual(change({ podCIDR: ipv4 }, { podCIDRs: [ipv4] }), []);
  for (const after of [{}, { podCIDR: '10.0.1.0/24' }, { podCIDRs: [ipv4, ipv6] }]) {
    assert.deepEqual(change({ podCIDR: ipv4 }, after), cannot('podCIDRs', 'podCIDR'));
  }
  assert.deepEqual(change({ providerID: 'a' }, { providerID: 'b' }), cannot('providerID', 'providerID'));
});

test('a Node has a taint once, and no amount below zero', () => {
  const taint = { key: 'b', effect: 'NoExecute' } as const;
  assert.deepEqual(wrong({ taints: [taint, { ...taint, effect: 'NoSchedule' }] }), []);
  assert.match(
    wrong({ taints: [taint, { ...taint, value: 'other' }] })[0]!,
    /^metadata\.taints\[1\]: Duplicate value: .*: taints must be unique by key and effect pair$/,
  );
  assert.deepEqual(wrong({}, { capacity: { cpu: '-1', memory: '0' } }), [
    'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
  ]);
});
