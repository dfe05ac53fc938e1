import type { APIService } from '../../api/kinds/apiService.ts';
import type { Clock } from '../../base/clock.ts';
import { toTime } from '../../base/clock.ts';
import type { Strategy } from './strategy.ts';

/** What this server serves itself is available as soon as it is registered. */
export const apiServiceStrategy = (clock: Clock): Strategy<APIService> => ({
  prepareCreate(service) {
    if (service.spec?.service) return;
    const available = {
      type: 'Available',
      status: 'True' as const,
      lastTransitionTime: toTime(clock.nowMs()),
      reason: 'Local',
      message: 'Local APIServices are always available',
    };
    service.status = { conditions: [available] };
  },
});
