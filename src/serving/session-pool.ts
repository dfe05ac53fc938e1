import type { Session } from './session.ts';

/** Sessions of the same model as one: a run goes where the fewest are under way. */
export function poolSessions(sessions: Session[]): Session {
  const members = sessions.map((session) => ({ session, running: 0 }));
  const { inputs, outputs } = sessions[0]!;
  return {
    inputs,
    outputs,
    async run(tensors) {
      const member = members.reduce((least, each) => (each.running < least.running ? each : least));
      member.running += 1;
      try {
        return await member.session.run(tensors);
      } finally {
        member.running -= 1;
      }
    },
    async close() {
      await Promise.all(sessions.map((session) => session.close()));
    },
  };
}
