import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../defaults.ts';
import { configMap } from '../kinds/configMap.ts';
import { secret } from '../kinds/secret.ts';
import { validate } from '../validate.ts';
import { entriesBytesMax } from './entries.ts';

const metadata = { name: 'big', namespace: 'default' };
const base64 = (bytes: number) => Buffer.alloc(bytes, 1).toString('base64');

test('a mebibyte of entries is taken, of which base64 counts as what it stands for', () => {
  for (const fine of [
    validate(secret, defaults(secret, { metadata, data: { a: base64(entriesBytesMax) } } as never)),
    validate(secret, defaults(secret, { metadata, stringData: { a: 'x'.repeat(entriesBytesMax) } } as never)),
    validate(configMap, { metadata, binaryData: { a: base64(entriesBytesMax - 1) }, data: { b: 'x' } }),
  ]) {
    assert.deepEqual(fine, []);
  }
});

test('more of it is refused, at the object of a ConfigMap and at the data of a Secret', () => {
  const binaryData = { a: base64(entriesBytesMax) };
  const [whole] = validate(configMap, { metadata, binaryData, data: { b: 'x' } });
  assert.deepEqual([whole!.field, whole!.message], ['[]', 'Too long: may not be more than 1048576 bytes']);
  const tooMuch = { metadata, data: { a: base64(entriesBytesMax + 1) } };
  const [data] = validate(secret, defaults(secret, tooMuch as never));
  assert.deepEqual([data!.field, data!.message], ['data', 'Too long: may not be more than 1048576 bytes']);
});
