import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePath, signedHeaders } from './sign-request.ts';

const accessKeyId = 'AKIAIOSFODNN7EXAMPLE';
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const scope = { region: 'us-east-1', service: 's3', nowMs: Date.parse('2013-05-24T00:00:00Z') };

function signatureOf(url: string, headers?: Record<string, string>): string {
  const request = { method: 'GET', url: new URL(url), ...(headers && { headers }) };
  const { authorization = '' } = signedHeaders(request, { accessKeyId, secretAccessKey }, scope);
  return authorization;
}

// The examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
test('requests are signed as the examples of Amazon S3 are', () => {
  const host = 'https://examplebucket.s3.amazonaws.com';
  assert.equal(
    signatureOf(`${host}/test.txt`, { range: 'bytes=0-9' }),
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
      'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,' +
      'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  );
  assert.match(
    signatureOf(`${host}/?lifecycle`),
    /Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543$/,
  );
  assert.match(
    signatureOf(`${host}/?max-keys=2&prefix=J`),
    /Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7$/,
  );
});

// `get-vanilla` and `get-vanilla-query-order-key-case` of AWS' Signature Version 4 test suite.
test('requests to other services are signed as the test suite of AWS has them', () => {
  const credentials = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  };
  const at = { region: 'us-east-1', service: 'service', nowMs: Date.parse('2015-08-30T12:36:00Z') };
  const sign = (url: string) =>
    signedHeaders({ method: 'GET', url: new URL(url) }, credentials, at).authorization?.split(
      'Signature=',
    )[1];
  assert.equal(
    sign('https://example.amazonaws.com/'),
    '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  );
  assert.equal(
    sign('https://example.amazonaws.com/?Param2=value2&Param1=value1'),
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  );
});

test('a session’s token is sent and signed, and paths are encoded as they are signed', () => {
  const credentials = { accessKeyId, secretAccessKey, sessionToken: 'token' };
  const headers = signedHeaders({ method: 'GET', url: new URL('https://s3/b') }, credentials, scope);
  assert.equal(headers['x-amz-security-token'], 'token');
  assert.match(
    headers.authorization!,
    /SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,/,
  );
  assert.equal(encodePath('a b/c+d/ü!*'), 'a%20b/c%2Bd/%C3%BC%21%2A');
});
