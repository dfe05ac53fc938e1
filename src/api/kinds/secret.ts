import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { checkFrozen, checkSecretEntries } from '../parts/entries.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { boolean, bytes, map, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

/** Secrets of this type get a token of the service account that their annotation names. */
export const tokenSecretType = 'kubernetes.io/service-account-token';
export const accountNameAnnotation = 'kubernetes.io/service-account.name';
export const accountUidAnnotation = 'kubernetes.io/service-account.uid';

const keysOfType: Record<string, string[]> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
};

const schema = kindSchema(
  'io.k8s.api.core.v1.Secret',
  { apiVersion: 'v1', kind: 'Secret' },
  {
    data: map(bytes(), { doc: 'Entries, in base64.' }),
    immutable: boolean({ doc: 'Whether its content can never change again.' }),
    stringData: map(string(), { doc: 'Entries as text, for writing only; they become part of data.' }),
    type: string({ doc: 'What it is for.', default: 'Opaque', checkUpdate: immutable }),
  },
  {
    doc: 'Secret holds a small amount of confidential data. It is encrypted where it is stored.',
    complete(secret) {
      if (secret.stringData === undefined) return;
      const texts = Object.entries(secret.stringData as Record<string, string>);
      const data = texts.map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
      secret.data = { ...(secret.data as object | undefined), ...Object.fromEntries(data) };
      delete secret.stringData;
    },
  },
);

export interface Secret extends ObjectOf<typeof schema> {}

export const secret = defineKind<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  schema,
  check(secret, report, root) {
    checkSecretEntries(secret, report, root);
    const { type, metadata } = secret;
    if (type === tokenSecretType && !metadata?.annotations?.[accountNameAnnotation]) {
      report.required(root.child('metadata').child('annotations').key(accountNameAnnotation));
    }
    for (const key of keysOfType[secret.type ?? ''] ?? []) {
      if (secret.data?.[key] === undefined) report.required(root.child('data').key(key));
    }
    checkLogin(secret, report, root.child('data'));
  },
  checkUpdate: checkFrozen('data'),
  columns: [
    nameColumn,
    { name: 'Type', doc: 'What it is for.', value: (secret) => secret.type ?? '' },
    {
      name: 'Data',
      doc: 'How many entries it has.',
      value: (secret) => Object.keys(secret.data ?? {}).length,
    },
    ageColumn,
  ],
  selectableFields: { type: (secret) => secret.type ?? '' },
});

/** One of user and password is enough; a key is no key when it is empty. */
function checkLogin({ type, data = {} }: Secret, report: Report, at: Path): void {
  const keys = ['username', 'password'];
  if (type === 'kubernetes.io/basic-auth' && keys.every((key) => data[key] === undefined)) {
    for (const key of keys) report.required(at.key(key));
  }
  if (type === 'kubernetes.io/ssh-auth' && !data['ssh-privatekey']) report.required(at.key('ssh-privatekey'));
}
