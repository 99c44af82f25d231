import type { Action, Policy } from './policy.js';

const RET_ERRNO = 0x00050000;

/** `SECCOMP_RET_*` of include/uapi/linux/seccomp.h, the data part 0. */
const VALUES = {
  'kill-process': 0x80000000,
  'kill-thread': 0,
  trap: 0x00030000,
  'user-notify': 0x7fc00000,
  trace: 0x7ff00000,
  log: 0x7ffc0000,
  allow: 0x7fff0000,
} as const;

const KINDS = new Map<number, keyof typeof VALUES>(
  Object.entries(VALUES).map(([kind, value]) => [value, kind as keyof typeof VALUES]),
);

/** What a program returns for an action. */
export function returnValueOf(action: Action): number {
  return action.kind === 'errno' ? RET_ERRNO + (action.errno & 0xffff) : VALUES[action.kind];
}

/** The action of what a program returned; the kernel kills the process for one it does not know. */
export function actionOf(returned: number): Action {
  const kind = (returned & 0xffff0000) >>> 0;
  if (kind === RET_ERRNO) return { kind: 'errno', errno: returned & 0xffff };
  return { kind: KINDS.get(kind) ?? 'kill-process' };
}

export function sameAction(a: Action, b: Action): boolean {
  return returnValueOf(a) === returnValueOf(b);
}

/** `ALLOW`, `KILL_PROCESS`, `ERRNO(1)`, …: the kernel's names. */
export function formatAction(action: Action): string {
  if (action.kind === 'errno') return `ERRNO(${action.errno})`;
  if (action.kind === 'user-notify') return 'USER_NOTIF';
  return action.kind.toUpperCase().replace('-', '_');
}

/** What a syscall of another architecture gets. */
export function foreignActionOf(policy: Policy): Action {
  return policy.foreignAction ?? { kind: 'kill-thread' };
}
