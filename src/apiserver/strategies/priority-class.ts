import { type PriorityClass, priorityClass, systemPriorityClasses } from '../../api/kinds/priorityClass.ts';
import { forbidden } from '../failures.ts';
import type { Strategy } from './strategy.ts';

export const priorityClassStrategy: Strategy<PriorityClass> = {
  refuseDelete({ metadata }) {
    const name = metadata!.name!;
    const isSystem = systemPriorityClasses.some((known) => known.metadata.name === name);
    const why = 'this is a system priority class and cannot be deleted';
    return isSystem ? forbidden(priorityClass, name, why) : undefined;
  },
};
