import type { Action, Dialect } from './policy.js';

type Constants = Pick<ReadonlyMap<string, bigint>, 'get'>;

const WORDS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ...(['allow', 'kill-process', 'kill-thread', 'trap', 'trace', 'log', 'user-notify'] as const).map(
    (kind): [string, Action] => [kind, { kind }],
  ),
  // SECCOMP_RET_KILL is another name of KILL_THREAD.
  ['kill', { kind: 'kill-thread' }],
  ['user-notif', { kind: 'user-notify' }],
]);

export const ACTION_WORDS =
  'allow, kill-process, kill-thread, trap, trace, log, user-notify, errno(N)';

/**
 * An action as people write it: minijail's words (`kill-thread`, `return EPERM`) or the kernel's (`KILL_THREAD`,
 * `ERRNO(1)`), in any case. Undefined if it is none.
 */
export function actionNamed(text: string, constants: Constants): Action | undefined {
  const trimmed = text.trim();
  const known = WORDS.get(trimmed.toLowerCase().replaceAll('_', '-'));
  if (known !== undefined) return known;
  const word = /^(?:errno\s*\(\s*(\w+)\s*\)|return\s+(\w+))$/iu.exec(trimmed);
  const name = word?.[1] ?? word?.[2];
  if (name === undefined) return undefined;
  const errno = /^\d+$|^0x[0-9a-f]+$/iu.test(name) ? BigInt(name) : constants.get(name);
  return errno === undefined || errno > 0xffffn
    ? undefined
    : { kind: 'errno', errno: Number(errno) };
}

/**
 * A default action as it is asked for outside of the policy. `kill` is the process for minijail's compiler, and the thread
 * for libminijail. Undefined if it is none.
 */
export function defaultActionNamed(
  text: string,
  dialect: Dialect,
  constants: Constants,
): Action | undefined {
  const isKill = text.trim().toLowerCase() === 'kill';
  if (isKill && dialect === 'minijail-python') return { kind: 'kill-process' };
  return actionNamed(text, constants);
}
