/** For tests: one object of a kind with as much in it as fits together, and changes that make it wrong. */
export interface Example {
  /** `Ingress`, or `Event.events.k8s.io` where another group has the kind too. */
  kind: string;
  apiVersion: string;
  /** Everything but apiVersion and kind. */
  object: Record<string, unknown>;
  /** A merge patch that is fine. */
  change: object;
  /** Merge patches of the object as it is created, each with the causes that a create is then refused for. */
  invalid: [object, string[]][];
}

export const meta = (name: string, more: object = {}) => ({ metadata: { name, ...more } });
export const labels = { app: 'x' };
export const template = {
  metadata: { labels },
  spec: { containers: [{ name: 'main', image: 'app:1' }] },
};
export const workload = { selector: { matchLabels: labels }, template };
