import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../../base/errors.ts';
import { isLocalAddress } from '../runtimes/local-address.ts';
import { type Grant, grantsOf } from './grants.ts';

const ask = (
  annotations: { grants?: string; egress?: string },
  options: { allowed?: Grant[]; builtin?: { worker: boolean; addons: boolean } } = {},
) =>
  grantsOf({
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [`selvage.dev/${name}`, value]),
    ),
    builtin: options.builtin,
    allowed: options.allowed ?? [],
  });

test('what ends the sandbox is refused to every pod unless the node allows it', () => {
  for (const grants of ['worker', 'addons', 'worker,addons']) {
    assert.throws(() => ask({ grants }), /ends the pod's sandbox .* --allow-addons/);
  }
  assert.throws(() => ask({ grants: 'addons' }, { allowed: ['worker'] }), /asks for "addons"/);
  assert.throws(() => ask({ grants: 'all' }, { allowed: ['worker', 'addons'] }), StatusError);
  const granted = ask({ grants: 'worker, addons' }, { allowed: ['worker', 'addons'] });
  assert.deepEqual(granted, { worker: true, addons: true, egress: [] });
});

test('a built-in image has its own grants on every node', () => {
  const builtin = { worker: true, addons: true };
  assert.deepEqual(ask({}, { builtin }), { worker: true, addons: true, egress: [] });
});

test('egress to other machines is granted, and to the node itself only where the node allows it', () => {
  const { egress } = ask({ egress: 'a.example:443, b:80' });
  assert.deepEqual(egress, ['a.example:443', 'b:80']);
  const local = ['localhost:80', 'x.localhost:*', '127.0.0.2:6443', '[::1]:80', '169.254.169.254:80'];
  for (const target of local) {
    assert.throws(() => ask({ egress: target }), /an address of the node itself.*--allow-local-egress/);
  }
  const allowed = ask({ egress: local.join(',') }, { allowed: ['local-egress'] });
  assert.deepEqual(allowed, { worker: false, addons: false, egress: local, localEgress: true });
});

test('addresses of the machine itself are known in every notation', () => {
  const local = [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '169.254.0.1',
    '::1',
    '::',
    'fe80::1',
    '::ffff:127.0.0.1',
  ];
  for (const address of local) assert.equal(isLocalAddress(address), true, address);
  for (const address of ['10.0.0.1', '192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1']) {
    assert.equal(isLocalAddress(address), false, address);
  }
});
