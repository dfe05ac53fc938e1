import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../../kinds/customResourceDefinition.ts';
import { dns1035Label } from '../../names.ts';

/** The name of the version that objects are stored in. */
export function storedVersion({ spec }: CustomResourceDefinition): string | undefined {
  return spec.versions.find(({ storage }) => storage)?.name;
}

const versionName = /^v(\d+)(?:(alpha|beta)(\d+))?$/;

/** Kubernetes' order of versions, newest and most stable first: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name. */
export function byPriority(a: string, b: string): number {
  const [left, right] = [versionName.exec(a), versionName.exec(b)];
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0;
  const rank = (match: RegExpExecArray) => (match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0);
  return (
    rank(right) - rank(left) ||
    Number(right[1]) - Number(left[1]) ||
    Number(right[3] ?? 0) - Number(left[3] ?? 0)
  );
}

/** What users of a deprecated version are told. */
export function deprecationOf(
  { spec }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): string | undefined {
  if (!version.deprecated) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const text = `${spec.group}/${version.name} ${spec.names.kind} is deprecated`;
  const better = spec.versions
    .filter(({ name, served, deprecated }) => served && !deprecated && byPriority(name, version.name) < 0)
    .map(({ name }) => name)
    .sort(byPriority)[0];
  return better ? `${text}; use ${spec.group}/${better} ${spec.names.kind}` : text;
}

export function isVersionName(name: string): boolean {
  return dns1035Label(name).length === 0;
}
