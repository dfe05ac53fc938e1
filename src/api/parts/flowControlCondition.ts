import { object, string, time } from '../schema.ts';

/** The conditions of flow control have no required fields, unlike those of `meta/v1`. */
export const flowControlCondition = (name: 'FlowSchemaCondition' | 'PriorityLevelConfigurationCondition') =>
  object(`io.k8s.api.flowcontrol.v1.${name}`, {
    lastTransitionTime: time({ doc: 'When its status changed last.' }),
    message: string({ doc: 'Why, for people.' }),
    reason: string({ doc: 'Why, in one word, for programs.' }),
    status: string({ doc: 'True, False or Unknown.' }),
    type: string({ doc: 'What the condition is about.' }),
  });
