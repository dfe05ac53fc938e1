import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '../base/errors.ts';
import { heldBytesMax, heldNow, holdBytes, smallBytesMax } from './held-bytes.ts';

test('requests hold so many bytes together; a small one always finds room, and what is released is free', () => {
  const large = holdBytes();
  large.add(heldBytesMax);
  const other = holdBytes();
  other.add(smallBytesMax);
  assert.throws(
    () => other.add(1),
    (error) => isStatus(error, 'ServiceUnavailable') && error.details?.retryAfterSeconds === 1,
  );
  assert.equal(heldNow(), heldBytesMax + smallBytesMax, 'what was refused is not counted');
  large.release();
  large.release();
  other.add(1);
  other.release();
  assert.equal(heldNow(), 0);
});
