import type { Secret } from '../../api/kinds/secret.ts';
import type { Container } from '../../api/parts/container.ts';

type Variable = NonNullable<Container['env']>[number];

const prefix = 'serving.kserve.io/s3-';
const keys = { id: 'awsAccessKeyID', secret: 'awsSecretAccessKey' };

/** What a Secret says of S3, in its data and in KServe's annotations; undefined for one of something else. */
export interface S3Access {
  env: Variable[];
  /** The server's URL, if it isn't Amazon's. */
  endpoint: string | undefined;
  region: string | undefined;
  isVirtualHosted: boolean;
  /** A ConfigMap of the namespace with authorities to trust, and the file in it. */
  caConfigMap: string | undefined;
  caFile: string | undefined;
  isUnverified: boolean;
}

/** Source: KServe, `pkg/credentials/s3`. */
export function s3AccessOf({ metadata, data }: Secret): S3Access | undefined {
  if (data?.[keys.secret] === undefined) return undefined;
  const said = (name: string): string | undefined => metadata?.annotations?.[prefix + name] || undefined;
  const host = said('endpoint');
  const endpoint = host && `${said('usehttps') === '0' ? 'http' : 'https'}://${host}`;
  const region = said('region');
  const isVirtualHosted = /^(true|1)$/i.test(said('usevirtualbucket') ?? '');
  return {
    env: [
      fromSecret('AWS_ACCESS_KEY_ID', metadata?.name, keys.id),
      fromSecret('AWS_SECRET_ACCESS_KEY', metadata?.name, keys.secret),
      ...plain('S3_ENDPOINT', host),
      ...plain('AWS_ENDPOINT_URL', endpoint),
      ...plain('S3_USE_HTTPS', said('usehttps')),
      ...plain('AWS_DEFAULT_REGION', region),
      ...plain('S3_USER_VIRTUAL_BUCKET', said('usevirtualbucket')),
      ...plain('awsAnonymousCredential', said('useanoncredential')),
    ],
    endpoint,
    region,
    isVirtualHosted,
    caConfigMap: said('cabundle-configmap'),
    caFile: said('cabundle'),
    isUnverified: said('verifyssl') === '0',
  };
}

export function fromSecret(variable: string, name = '', key = ''): Variable {
  return { name: variable, valueFrom: { secretKeyRef: { name, key } } };
}

export function plain(name: string, value: string | undefined): Variable[] {
  return value === undefined ? [] : [{ name, value }];
}
