import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../defaults.ts';
import { validate } from '../validate.ts';
import { type EndpointSlice, endpointSlice } from './endpointSlice.ts';

function wrong(slice: Partial<EndpointSlice>): string[] {
  const whole = { metadata: { name: 'a', namespace: 'n' }, addressType: 'IPv4', endpoints: [], ...slice };
  const causes = validate(endpointSlice, defaults(endpointSlice, whole as EndpointSlice));
  // The rules of names say at length what a name is.
  return causes.map(({ field, message }) => `${field}: ${message}`.replace(/ consist of .*/, ''));
}
const at = (addressType: EndpointSlice['addressType'], ...addresses: string[]) =>
  wrong({ addressType, endpoints: [{ addresses }] });
const many = <T>(count: number, each: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => each(i));

test('the addresses of an EndpointSlice are of its type, and can be reached from elsewhere', () => {
  const place = 'endpoints[0].addresses[0]';
  assert.deepEqual(at('IPv4', '10.0.0.1', '10.0.0.1', '010.0.0.1', '::ffff:10.0.0.1'), []);
  assert.deepEqual(at('IPv6', '2001:db8::1'), []);
  assert.deepEqual(at('FQDN', 'example.com', 'example.com.', '10.0.0.1'), []);
  assert.deepEqual(at('IPv4', 'x'), [
    `${place}: Invalid value: "x": must be a valid IPv4 address`,
    `${place}: Invalid value: "x": must be a valid IP address`,
  ]);
  assert.deepEqual(at('IPv6', 'fe80::1%eth0'), [
    `${place}: Invalid value: "fe80::1%eth0": must be a valid IPv6 address`,
    `${place}: Invalid value: "fe80::1%eth0": must be a valid IP address`,
  ]);
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1']) {
    assert.deepEqual(at('IPv6', address), [
      `${place}: Invalid value: "${address}": must be a valid IPv6 address`,
    ]);
  }
  assert.deepEqual(at('IPv4', '0.0.0.0'), [
    `${place}: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)`,
  ]);
  assert.match(at('IPv4', '169.254.1.1')[0]!, /may not be in the link-local range/);
  assert.match(at('IPv6', 'ff02::1')[0]!, /may not be in the link-local multicast range/);
});

test('a cluster on one machine may name its loopback address in an EndpointSlice', () => {
  assert.deepEqual([...at('IPv4', '127.0.0.1'), ...at('IPv6', '::1')], []);
});

test('a domain name in an EndpointSlice has two labels or more', () => {
  const place = 'endpoints[0].addresses[0]';
  assert.deepEqual(at('FQDN', ''), [`${place}: Required value`]);
  assert.deepEqual(at('FQDN', 'x'), [
    `${place}: Invalid value: "x": should be a domain with at least two segments separated by dots`,
  ]);
  assert.deepEqual(at('FQDN', 'A.b'), [
    `${place}: Invalid value: "A.b": a lowercase RFC 1123 subdomain must`,
  ]);
  assert.match(at('FQDN', `${'a'.repeat(64)}.b`)[0]!, /must be no more than 63 characters/);
});

test('an EndpointSlice has at most so many endpoints, addresses, zones and ports', () => {
  const addresses = ['10.0.0.1'];
  assert.deepEqual(wrong({ endpoints: many(1001, () => ({ addresses: ['x'] })) }), [
    'endpoints: Too many: 1001: must have at most 1000 items',
  ]);
  assert.deepEqual(at('IPv4', ...many(101, (index) => `10.0.0.${index}`)), [
    'endpoints[0].addresses: Too many: 101: must have at most 100 items',
  ]);
  const forZones = many(9, (index) => ({ name: `zone-${index}` }));
  assert.deepEqual(wrong({ endpoints: [{ addresses, hints: { forZones } }] }), [
    'endpoints[0].hints.forZones: Too many: 9: must have at most 8 items',
  ]);
  assert.deepEqual(wrong({ ports: many(20_001, () => ({ name: 'a' })) }), [
    'ports: Too many: 20001: must have at most 20000 items',
  ]);
  assert.deepEqual(at('IPv4'), ['endpoints[0].addresses: Required value: must contain at least 1 address']);
});

test('the names in an EndpointSlice follow the rules of what they name', () => {
  const label = 'a lowercase RFC 1123 label must';
  assert.deepEqual(
    wrong({ ports: [{ name: 'A' }, { name: '' }, { port: 3 }, { name: 'x', appProtocol: 'a/b/c' }] }),
    [
      `ports[0].name: Invalid value: "A": ${label}`,
      'ports[3].appProtocol: Invalid value: "a/b/c": a qualified name must',
      'ports[2].name: Duplicate value: ""',
    ],
  );
  const forZones = [{ name: 'a' }, { name: 'a' }, { name: 'b c' }, { name: '' }];
  const endpoint = { addresses: ['10.0.0.1'], hostname: 'A', nodeName: 'A b', hints: { forZones } };
  assert.deepEqual(wrong({ endpoints: [endpoint] }).sort(), [
    'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
    'endpoints[0].hints.forZones[2].name: Invalid value: "b c": a valid label must be an empty string or',
    `endpoints[0].hostname: Invalid value: "A": ${label}`,
    'endpoints[0].nodeName: Invalid value: "A b": a lowercase RFC 1123 subdomain must',
  ]);
});
