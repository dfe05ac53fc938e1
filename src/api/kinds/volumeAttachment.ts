import { follows } from '../checks.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Subdomain } from '../names.ts';
import { boolean, map, object, refine, required, string, time } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';
import { checkDriverName } from './csiNode.ts';
import { persistentVolumeSpec } from './persistentVolume.ts';

export const volumeAttachmentSource = object(
  'io.k8s.api.storage.v1.VolumeAttachmentSource',
  {
    inlineVolumeSpec: refine(persistentVolumeSpec, { doc: 'The volume itself, for pods that name it.' }),
    persistentVolumeName: string({ doc: 'The PersistentVolume.' }),
  },
  {
    check({ inlineVolumeSpec, persistentVolumeName }, at, report) {
      const only = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
      if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) report.required(at, only);
      else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined)
        report.forbidden(at, only);
      else if (persistentVolumeName === '') {
        report.required(at.child('persistentVolumeName'), 'must specify non empty persistentVolumeName');
      } else if (persistentVolumeName !== undefined) {
        follows(dns1123Subdomain)(persistentVolumeName, at.child('persistentVolumeName'), report);
      }
    },
  },
);

export const volumeAttachmentSpec = object(
  'io.k8s.api.storage.v1.VolumeAttachmentSpec',
  {
    attacher: required(string({ doc: 'The driver that attaches it.', check: checkDriverName })),
    nodeName: required(
      string({
        doc: 'The node to attach it to.',
        default: '',
        mayBeEmpty: true,
        check: follows(dns1123Subdomain),
      }),
    ),
    source: required(refine(volumeAttachmentSource, { doc: 'What is attached.', default: {} })),
  },
  { checkUpdate: immutable },
);

export const volumeError = object('io.k8s.api.storage.v1.VolumeError', {
  message: string({ doc: 'What went wrong.' }),
  time: time({ doc: 'When.' }),
});

export const volumeAttachmentStatus = object('io.k8s.api.storage.v1.VolumeAttachmentStatus', {
  attachError: refine(volumeError, { doc: 'Why it could not be attached.' }),
  attached: required(boolean({ doc: 'Whether it is attached.', default: false })),
  attachmentMetadata: map(string(), { doc: 'What the driver needs to know of it later.' }),
  detachError: refine(volumeError, { doc: 'Why it could not be detached.' }),
});

const schema = kindSchema(
  'io.k8s.api.storage.v1.VolumeAttachment',
  { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment' },
  { spec: required(volumeAttachmentSpec), status: volumeAttachmentStatus },
  'VolumeAttachment asks a driver to attach a volume to a node.',
);

export interface VolumeAttachment extends ObjectOf<typeof schema> {}

export const volumeAttachment = defineKind<VolumeAttachment>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  namespaced: false,
  countsGenerations: false,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    {
      name: 'Attacher',
      format: 'name',
      doc: 'The driver that attaches it.',
      value: ({ spec }) => spec?.attacher ?? '',
    },
    { name: 'PV', doc: 'What is attached.', value: ({ spec }) => spec?.source?.persistentVolumeName ?? '' },
    { name: 'Node', doc: 'The node that it is attached to.', value: ({ spec }) => spec?.nodeName ?? '' },
    {
      name: 'Attached',
      type: 'boolean',
      doc: 'Whether it is.',
      value: ({ status }) => status?.attached ?? false,
    },
    ageColumn,
  ],
});
