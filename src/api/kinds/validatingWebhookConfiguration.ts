import { distinct } from '../checks.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { type ValidatingWebhook, validatingWebhook } from '../parts/webhook.ts';
import { keyedList } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration',
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' },
  {
    webhooks: keyedList(['name'], validatingWebhook, {
      doc: 'Who is asked, and about which requests.',
      check: distinct<ValidatingWebhook>('name'),
    }),
  },
  'ValidatingWebhookConfiguration names webhooks that may refuse a write.',
);

export interface ValidatingWebhookConfiguration extends ObjectOf<typeof schema> {}

export const validatingWebhookConfiguration = defineKind<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  categories: ['api-extensions'],
  namespaced: false,
  countsGenerations: true,
  schema,
  columns: [
    nameColumn,
    { name: 'Webhooks', type: 'integer', doc: 'How many.', value: ({ webhooks }) => webhooks?.length ?? 0 },
    ageColumn,
  ],
});
