import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  configKey,
  dns1035Label,
  dns1123Label,
  dns1123Subdomain,
  environmentName,
  labelValue,
  portName,
  qualifiedName,
} from './names.ts';

test('names that Kubernetes accepts have nothing wrong', () => {
  const fine: [(text: string) => string[], string[]][] = [
    [dns1123Label, ['a', '0', 'my-name', '123-abc', 'a'.repeat(63)]],
    [dns1123Subdomain, ['example.com', 'a.b-c.0', 'a'.repeat(253)]],
    [dns1035Label, ['abc-123']],
    [labelValue, ['', 'MyValue', 'my_value', '12345']],
    [qualifiedName, ['app', 'app.kubernetes.io/name', 'A_b.c']],
    [portName, ['http', 'a1-b2']],
  ];
  for (const [rule, texts] of fine) for (const text of texts) assert.deepEqual(rule(text), [], text);
});

test('a bad name is explained in the words that Kubernetes uses', () => {
  assert.deepEqual(dns1123Subdomain('Web'), [
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ]);
  assert.deepEqual(dns1123Label('a'.repeat(64)), ['must be no more than 63 characters']);
  assert.deepEqual(dns1123Label('a.b'), ['must not contain dots']);
  assert.deepEqual(dns1123Label('-'), [
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  ]);
  assert.deepEqual(qualifiedName('/a'), ['prefix part must be non-empty']);
  assert.match(
    qualifiedName('a/b/c')[0]!,
    /^a qualified name must consist of .* with an optional DNS subdomain prefix/,
  );
  assert.deepEqual(configKey('.'), ["must not be '.'"]);
  assert.deepEqual(environmentName('..a 1'), []);
  for (const wrong of ['A=', 'ä', 'a\n']) {
    const why = "must consist only of printable ASCII characters other than '='";
    assert.deepEqual(environmentName(wrong), [`a valid environment variable name ${why}`]);
  }
  assert.deepEqual(portName('80'), ['must contain at least one letter (a-z)']);
});
