import type { MutatingWebhookConfiguration } from '../../../api/kinds/mutatingWebhookConfiguration.ts';
import type { ValidatingWebhookConfiguration } from '../../../api/kinds/validatingWebhookConfiguration.ts';
import type { MutatingWebhook, ValidatingWebhook } from '../../../api/parts/webhook.ts';
import type { HeldObjects } from '../../held-objects.ts';

/** One webhook, and the configuration that names it. */
export interface Hook {
  configuration: string;
  webhook: ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;
}

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

/** All webhooks in the order in which they are asked: by the name of their configuration, then as it lists them. */
export class Hooks {
  readonly #configurations: HeldObjects<Configuration>;
  #version = -1;
  #hooks: readonly Hook[] = [];

  constructor(configurations: HeldObjects<Configuration>) {
    this.#configurations = configurations;
  }

  get isEmpty(): boolean {
    return this.#configurations.isEmpty;
  }

  all(): readonly Hook[] {
    const { version } = this.#configurations;
    if (version !== this.#version) {
      this.#hooks = this.#configurations
        .all()
        .flatMap(({ metadata, webhooks = [] }) =>
          webhooks.map((webhook) => ({ configuration: metadata!.name!, webhook })),
        );
      this.#version = version;
    }
    return this.#hooks;
  }
}
