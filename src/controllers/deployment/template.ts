import { isEqualSemantically } from '../../api/equal.ts';
import type { PodTemplateSpec } from '../../api/parts/podSpec.ts';

export const hashLabel = 'pod-template-hash';

/** Digits and letters that form no words; Kubernetes names things with them too. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Whether two templates make the same pods; the hash label is ours and does not count. */
export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return isEqualSemantically(essence(a), essence(b));
}

/** Ten letters or fewer that name the template; a collision counter makes a new name for the same template. */
export function templateHash(template: PodTemplateSpec | undefined, collisionCount = 0): string {
  const text = canonical(essence(template)) + (collisionCount > 0 ? `#${collisionCount}` : '');
  return [...String(fnv1a(text))].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('');
}

function essence(template: PodTemplateSpec | undefined) {
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
  return { labels, annotations: template?.metadata?.annotations ?? {}, spec: template?.spec };
}

/** JSON with the keys of objects in order, so that equal values give equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    field !== null && typeof field === 'object' && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );
}

/** The 32-bit FNV-1a hash of the text's UTF-8 bytes. http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
