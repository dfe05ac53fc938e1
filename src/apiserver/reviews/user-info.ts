import type { User } from '../user.ts';

/** A user as `authentication.k8s.io` shows one. */
export function userInfo({ name, groups, uid, extra }: User): object {
  return { username: name, ...(uid && { uid }), groups, ...(extra && { extra }) };
}
