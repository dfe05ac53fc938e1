import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  connectHeadBytesMax,
  connectRequest,
  connectResponse,
  parseConnectRequest,
  parseConnectResponse,
} from './connect-head.ts';

test('a CONNECT for an address and port is read', () => {
  for (const ip of ['10.42.0.2', 'fd00::2']) {
    const result = parseConnectRequest(Buffer.from(`${connectRequest(ip, 8080)}after`));
    assert.deepEqual(result, { kind: 'head', head: { ip, port: 8080 }, rest: Buffer.from('after') });
  }
});

test('a head that comes in pieces is partial until its empty line', () => {
  const bytes = Buffer.from(connectRequest('10.42.0.2', 80));
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parseConnectRequest(bytes.subarray(0, length)).kind, 'partial', `after ${length} bytes`);
  }
  assert.equal(parseConnectRequest(bytes).kind, 'head');
});

test('whatever is ambiguous is refused', () => {
  const bad = [
    'GET / HTTP/1.1\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.0\r\n\r\n',
    'CONNECT  10.42.0.2:80 HTTP/1.1\r\n\r\n',
    'CONNECT example.com:80 HTTP/1.1\r\n\r\n',
    'CONNECT 10.42.0.2:0 HTTP/1.1\r\n\r\n',
    'CONNECT 10.42.0.2:65536 HTTP/1.1\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.1\r\nContent-Length: 3\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.1\r\n folded: yes\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.1\r\nname : space\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.1\r\nname\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.1\r\nname: a\nb: c\r\n\r\n',
    'CONNECT 10.42.0.2:80 HTTP/1.1\r\nname: \u0000\r\n\r\n',
    '\r\nCONNECT 10.42.0.2:80 HTTP/1.1\r\n\r\n',
  ];
  for (const head of bad)
    assert.equal(parseConnectRequest(Buffer.from(head)).kind, 'bad', JSON.stringify(head));
});

test('a head that is too long is refused before it ends', () => {
  assert.equal(parseConnectRequest(Buffer.alloc(connectHeadBytesMax, 'a')).kind, 'bad');
  const long = `CONNECT 10.42.0.2:80 HTTP/1.1\r\nname: ${'a'.repeat(connectHeadBytesMax)}\r\n\r\n`;
  assert.equal(parseConnectRequest(Buffer.from(long)).kind, 'bad');
});

test('an answer carries its status and reason, and no line break of the reason escapes', () => {
  const bytes = Buffer.from(connectResponse(503, 'nothing\r\nlistens'));
  assert.deepEqual(parseConnectResponse(bytes), {
    kind: 'head',
    head: { status: 503, reason: 'nothing  listens' },
    rest: Buffer.alloc(0),
  });
});
