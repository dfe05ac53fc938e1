import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { prepare } from './prepare.ts';
import { toResponse } from './response.ts';

function messageOf(text: string): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.statusCode = 200;
  message.push(Buffer.from(text));
  message.push(null);
  message.complete = true;
  return message;
}

test('a body that came whole is read without a stream', async () => {
  const response = await toResponse(messageOf('all of it'), prepare('http://web/', undefined), false);
  assert.equal(await response.text(), 'all of it');
});

test('a response whose request is aborted as it arrives settles instead of hanging', {
  timeout: 60_000,
}, async () => {
  const message = messageOf('all of it');
  const responding = toResponse(message, prepare('http://web/', undefined), false);
  message.destroy();
  await responding;
  const gone = messageOf('all of it');
  gone.destroy();
  await new Promise((resolve) => gone.once('close', resolve));
  await toResponse(gone, prepare('http://web/', undefined), false);
});
