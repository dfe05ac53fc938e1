import { distinct } from '../checks.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { type MutatingWebhook, mutatingWebhook } from '../parts/webhook.ts';
import { keyedList } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration',
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration' },
  {
    webhooks: keyedList(['name'], mutatingWebhook, {
      doc: 'Who is asked, and about which requests.',
      check: distinct<MutatingWebhook>('name'),
    }),
  },
  'MutatingWebhookConfiguration names webhooks that may change or refuse a write.',
);

export interface MutatingWebhookConfiguration extends ObjectOf<typeof schema> {}

export const mutatingWebhookConfiguration = defineKind<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
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
