import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatReference, parseReference, storedRepository } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test('a name without a host stays as it is and gets the tag latest', () => {
  assert.deepEqual(parseReference('my-app'), { repository: 'my-app', tag: 'latest' });
  assert.deepEqual(parseReference('team/my-app:1.0.0'), { repository: 'team/my-app', tag: '1.0.0' });
});

test('the first part is a host if it has a dot, a port or is localhost', () => {
  assert.deepEqual(parseReference('ghcr.example/a/b:1'), {
    host: 'ghcr.example',
    repository: 'a/b',
    tag: '1',
  });
  assert.deepEqual(parseReference('localhost/a'), { host: 'localhost', repository: 'a', tag: 'latest' });
  assert.deepEqual(parseReference('127.0.0.1:5000/a:b'), {
    host: '127.0.0.1:5000',
    repository: 'a',
    tag: 'b',
  });
  assert.deepEqual(parseReference('[::1]:5000/a'), { host: '[::1]:5000', repository: 'a', tag: 'latest' });
});

test('library is added only where docker.io is said', () => {
  assert.deepEqual(parseReference('docker.io/nginx'), {
    host: 'docker.io',
    repository: 'library/nginx',
    tag: 'latest',
  });
  assert.equal(parseReference('index.docker.io/a/b').host, 'docker.io');
});

test('a digest stands alone or beside a tag', () => {
  assert.deepEqual(parseReference(`app@${digest}`), { repository: 'app', digest });
  assert.deepEqual(parseReference(`app:1@${digest}`), { repository: 'app', tag: '1', digest });
});

test('a reference formats to what it was read from', () => {
  for (const text of ['app:1', 'h.example:5000/a/b:2', `app:1@${digest}`, `h.example/app@${digest}`]) {
    assert.equal(formatReference(parseReference(text)), text);
  }
});

test('a malformed reference is refused with what is wrong', () => {
  const wrong: [string, RegExp][] = [
    ['', /name is empty/],
    ['My-App', /must be lower case/],
    ['a//b', /must be lower-case letters and digits/],
    ['../etc', /"\.\." is not a registry host/],
    ['_tags/x', /must be lower-case letters/],
    ['app:', /tag ""/],
    ['app:-x', /tag "-x"/],
    ['app@sha256:12', /digest must be/],
    [`app@${digest}@${digest}`, /more than one/],
    ['a'.repeat(256), /longer than 255/],
    ['bad_host.:x/app', /not a registry host/],
  ];
  for (const [text, message] of wrong) assert.throws(() => parseReference(text), message, text);
});

test('images of outside registries are stored under their host', () => {
  assert.equal(storedRepository(parseReference('my-app')), 'my-app');
  assert.equal(storedRepository(parseReference('docker.io/nginx')), 'docker.io/library/nginx');
  assert.equal(storedRepository(parseReference('127.0.0.1:5000/a')), '127.0.0.1_5000/a');
  assert.equal(storedRepository(parseReference('[::1]:5000/a')), '1_5000/a');
});
