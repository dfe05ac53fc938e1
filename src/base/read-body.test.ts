import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { isStatus } from './errors.ts';
import { readBody } from './read-body.ts';

/** What a server that reads at most 8 bytes makes of what a client writes, piece by piece. */
async function readOf(t: TestContext, pieces: string[], timeoutMs = 60_000): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    request.on('error', () => {});
    readBody(request, { bytesMax: 8, timeoutMs, tooLarge: (most) => `at most ${most}` })
      .then((body) => `read ${body}`)
      .catch((error) => (isStatus(error) ? `${error.code} ${error.message}` : String(error)))
      .then((answer) => {
        resolve(answer);
        response.end();
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => {
    socket.destroy();
    server.close();
  });
  for (const piece of pieces) {
    await new Promise((written) => socket.write(piece, written));
    await new Promise(setImmediate);
  }
  return promise;
}

const chunked = 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n';
const sized = (length: number) => `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n`;

test('a body that comes with its head, in pieces or not at all is read', async (t) => {
  assert.equal(await readOf(t, [`${sized(8)}abcdefgh`]), 'read abcdefgh');
  assert.equal(await readOf(t, [sized(8), 'abc', 'defgh']), 'read abcdefgh');
  assert.equal(await readOf(t, [chunked, '3\r\nabc\r\n', '5\r\ndefgh\r\n0\r\n\r\n']), 'read abcdefgh');
  assert.equal(await readOf(t, [sized(0)]), 'read ');
});

test('a body above the bound is refused: by its length before it comes, else when it has come so far', async (t) => {
  assert.equal(await readOf(t, [sized(9)]), '413 at most 8');
  assert.equal(await readOf(t, [`${chunked}9\r\nabcdefghi\r\n0\r\n\r\n`]), '413 at most 8');
  assert.equal(await readOf(t, [chunked, '5\r\nabcde\r\n', '5\r\nfghij\r\n']), '413 at most 8');
});

test('a body that stops coming is given up in time', async (t) => {
  assert.match(await readOf(t, [sized(8), 'abc'], 1), /the body did not come within 1 ms/);
});
