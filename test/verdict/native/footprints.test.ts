import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { CallSpec, EventSpec } from '../../../src/hal/contract/define.js';
import { CONTRACTS } from '../../../src/hal/contract-list.js';
import { orSkip, whyNoJail, whyNoKvm, whyNoStrace } from '../../hal/native/native-rig.js';
import { formatSeen, isAsDeclared, MarkedLog } from './strace.js';
import type { Declared, Window } from './traced-hal.js';

const MAIN = fileURLToPath(new URL('./traced-main.js', import.meta.url));
/** After an event's own, the native side may have looked for more of the last one, and libuv may wait for other descriptors. */
const BEFORE_EVENTS = new Set(['recvmsg', 'epoll_ctl', 'poll', 'read']);

const straceTest = orSkip(whyNoJail() ?? whyNoStrace());

interface Role {
  readonly pid: number;
  readonly windows: readonly Window[];
}

/** The calls of other architectures are declared from their sources. */
const hasKvm = process.arch === 'x64' && whyNoKvm() === undefined;
const OF_ARM = ['preferredTarget', 'initVcpu', 'getOneRegister', 'setOneRegister'].concat(
  'createDevice',
  'setDeviceAttribute',
);

const scope = hasKvm ? 'KVM among it' : 'all but KVM, which is not here';
straceTest(`what the native side does is what its contracts declare (${scope})`, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-strace-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const log = join(folder, 'log');
  const traced = ['-f', '-ff', '-q', '-e', 'raw=all', '-o', log];
  const { status, stderr } = spawnSync(
    'strace',
    [...traced, process.execPath, MAIN, folder, 'main', ...(hasKvm ? ['kvm'] : [])],
    { encoding: 'utf8', timeout: 100_000 },
  );
  t.is(status, 0, stderr);
  const exercised = new Set<string>();
  const wrong: string[] = [];
  for (const role of ['main', 'jailed']) {
    const { pid, windows } = JSON.parse(readFileSync(join(folder, `${role}.json`), 'utf8')) as Role;
    const marked = new MarkedLog(readFileSync(`${log}.${pid}`, 'utf8'));
    for (const window of windows) {
      const { entry, kind, declared } = window;
      const seen = marked.within(window);
      if (seen === undefined) {
        t.fail(`${entry}: its marks were not seen`);
        continue;
      }
      exercised.add(entry);
      const own = kind === 'event' ? ownOf(declared, seen) : seen;
      if (own !== undefined && isAsDeclared(declared, own)) continue;
      wrong.push(
        `${role}: ${entry} made ${formatSeen(seen)}, and declares ${JSON.stringify(declared)}`,
      );
    }
  }
  t.deepEqual(wrong, []);
  t.deepEqual(missing(exercised), [], 'every call and event is exercised');
});

/** The end of what was seen that is the event's own. */
function ownOf(declared: readonly Declared[], seen: ReturnType<MarkedLog['within']> & object) {
  for (let start = 0; start <= seen.length; start += 1) {
    if (isAsDeclared(declared, seen.slice(start))) return seen.slice(start);
    if (!BEFORE_EVENTS.has(seen[start]?.name ?? '')) return undefined;
  }
  return undefined;
}

/** What the vCPUs' own threads do is no window of the thread that has the marks. */
function isMadeHere({ kind, name }: CallSpec | EventSpec): boolean {
  return kind === 'call' && !OF_ARM.includes(name);
}

function missing(exercised: ReadonlySet<string>): string[] {
  return CONTRACTS.filter(({ halName }) => hasKvm || halName !== 'kvm').flatMap((contract) =>
    [...contract.calls, ...contract.events]
      .filter((spec) => spec.definition.options.syscalls !== 'node')
      .filter((spec) => contract.halName !== 'kvm' || isMadeHere(spec))
      .map((spec) => `${contract.halName}.${spec.name}`)
      .filter((entry) => !exercised.has(entry)),
  );
}

test('a call more, a call less, another argument and another order are told from what is declared', (t) => {
  const one = (name: string, times: Declared['times'] = 'once', ...words: (string | null)[]) => ({
    names: [{ name, words }],
    times,
  });
  const declared = [one('openat', 'once', null, null, '5'), one('read', 'any'), one('close')];
  const call = (name: string, ...args: bigint[]) => ({ name, args, result: 0n });
  const open = call('openat', 1n, 2n, 5n);
  t.true(isAsDeclared(declared, [open, call('close')]));
  t.true(isAsDeclared(declared, [open, call('read'), call('read'), call('close')]));
  t.false(isAsDeclared(declared, [open]));
  t.false(isAsDeclared(declared, [open, call('close'), call('close')]));
  t.false(isAsDeclared(declared, [call('openat', 1n, 2n, 6n), call('close')]));
  t.false(isAsDeclared(declared, [open, call('close'), call('read')]));
});

test('waking an event loop of Node’s own is no system call of a window, writing to another eventfd is', (t) => {
  const log = `eventfd2(0, 0x80800) = 0x10
getpriority(0, 0x1) = 0x14
eventfd2(0, 0x80800) = 0x11
write(0x11, 0x7ffe, 0x8) = 0x8
write(0x10, 0x2ce5870, 0x8) = 0x8
getpriority(0, 0x2) = 0x14
`;
  const window = { kind: 'call', mark: 2, entry: 'x', declared: [] } satisfies Window;
  const seen = new MarkedLog(log).within(window) ?? [];
  t.is(formatSeen(seen), 'eventfd2(0x0, 0x80800) write(0x11, 0x7ffe, 0x8)');
});
