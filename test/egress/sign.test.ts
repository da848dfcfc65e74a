import { describe, expect, test } from 'vitest';
import { formatS3Location, parseS3Url } from '../../agent/egress/s3/location.ts';
import { emptySha256, encodePath, sha256, signRequest } from '../../agent/egress/s3/sign.ts';

const scope = {
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  region: 'us-east-1',
  date: new Date('2013-05-24T00:00:00Z'),
};
const bucket = 'https://examplebucket.s3.amazonaws.com/';

// The four examples of docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
describe("the signatures of AWS's examples", () => {
  test.each([
    [
      'GET Object',
      { method: 'GET', path: 'test.txt', headers: { range: 'bytes=0-9' }, body: '' },
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'PUT Object',
      {
        method: 'PUT',
        path: encodePath('test$file.text'),
        headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
        body: 'Welcome to Amazon S3.',
      },
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'GET Bucket Lifecycle',
      { method: 'GET', path: '?lifecycle', headers: {}, body: '' },
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'List Objects',
      { method: 'GET', path: '?max-keys=2&prefix=J', headers: {}, body: '' },
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ])('%s', (_, { method, path, headers, body }, signature) => {
    const request = { method, url: new URL(`${bucket}${path}`), headers, bodySha256: sha256(body) };
    expect(signRequest(request, scope)['authorization']).toContain(`Signature=${signature}`);
  });
});

test('a session token is a signed header', () => {
  const credentials = { ...scope.credentials, sessionToken: 'token' };
  const request = { method: 'GET', url: new URL(bucket), headers: {}, bodySha256: emptySha256 };
  const headers = signRequest(request, { ...scope, credentials });
  expect(headers['x-amz-security-token']).toBe('token');
  expect(headers['authorization']).toContain(';x-amz-security-token,');
});

describe('s3:// addresses', () => {
  test('take endpoint and region, and put the bucket in the path where it is not AWS', () => {
    expect(parseS3Url('s3://profiles/a/b/?endpoint=https://minio.example:9000&region=eu-west-1')).toMatchObject({
      bucket: 'profiles',
      prefix: 'a/b',
      endpoint: new URL('https://minio.example:9000'),
      region: 'eu-west-1',
      isPathStyle: true,
    });
    expect(parseS3Url('s3://profiles')).toMatchObject({ prefix: '', region: 'us-east-1', isPathStyle: false });
    expect(parseS3Url('s3://my.profiles')).toMatchObject({ isPathStyle: true });
    expect(parseS3Url('s3://profiles', { endpoint: 'http://127.0.0.1:9000' })).toMatchObject({ isPathStyle: true });
  });

  test.each([
    ['https://profiles', 'must be s3://BUCKET/PREFIX'],
    ['s3://Profiles', 'names no bucket'],
    ['s3://profiles?secret=x', 'unknown parameter secret'],
    ['s3://profiles?endpoint=https://user:word@minio', 'without credentials'],
    ['s3://profiles/../x?region=', 'a parameter region without a value'],
    ['s3://profiles/a*b', 'characters'],
  ])('%s is refused: %s', (text, problem) => {
    expect(parseS3Url(text)).toContain(problem);
  });

  test('are shown without parameters', () => {
    const location = parseS3Url('s3://profiles/a?endpoint=https://minio.example:9000');
    if (typeof location === 'string') throw new Error(location);
    expect(formatS3Location(location)).toBe('s3://profiles/a at minio.example:9000');
  });
});
