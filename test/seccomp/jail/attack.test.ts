import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { JAILED_ENVIRONMENT, JAILED_NODE } from '../../../src/cli/child-lanes.js';
import { loadDeviceJail } from '../../../src/cli/device-jail.js';
import { Channel } from '../../../src/hal/channel.js';
import type { HalEvents } from '../../../src/hal/contract/define.js';
import { Process } from '../../../src/hal/process.js';
import { EPERM, Seccomp } from '../../../src/hal/seccomp.js';
import { DEVICE_POLICY } from '../../../src/programs/device-jail.js';
import { architectureOf } from '../../../src/seccomp/architecture.js';
import { type CHelper, cHelper } from '../../c-helper.js';
import type { NativeRig } from '../../hal/native/native-implementations.js';
import { jailTest, makeNativeRig, orSkip, whyNoJail } from '../../hal/native/native-rig.js';

const HELPER = fileURLToPath(new URL('./attack-helper.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const noJail = whyNoJail();
/** Machine code for the attacker. */
const built: CHelper =
  noJail === undefined
    ? cHelper('raw-calls.so', 'test/seccomp/jail/raw-calls.c', {
        directory: folder,
        flags: ['-shared', '-fPIC'],
      })
    : { skipped: noJail };
const rawCalls = 'path' in built ? built.path : undefined;
const rawTest = orSkip('path' in built ? undefined : built.skipped);

type Refused = HalEvents<typeof Seccomp>['refused'];

/** A jailed attacker and its supervisor, who lets everything fail. */
class Attacked {
  readonly rig: NativeRig;
  readonly refused: Refused[] = [];
  readonly #channel: number;

  private constructor(rig: NativeRig, channel: number) {
    this.rig = rig;
    this.#channel = channel;
  }

  /** @param redirection the shell's, of its standard error; without one it is this process's. */
  static async start(t: ExecutionContext, redirection = ''): Promise<Attacked> {
    const program = loadDeviceJail('user-notify').programs.get(DEVICE_POLICY) ?? new Uint8Array();
    const helper = [...JAILED_NODE, '--max-old-space-size=64', HELPER];
    const args = [...helper, Buffer.from(program).toString('base64')];
    const preload = rawCalls === undefined ? {} : { LD_PRELOAD: rawCalls };
    const env = { ...process.env, ...JAILED_ENVIRONMENT, ...preload };
    const shell = ['-c', `exec "$@" ${redirection}`, 'sh', process.execPath, ...args];
    const command =
      redirection === ''
        ? { file: process.execPath, args, env }
        : { file: '/bin/sh', args: shell, env };
    const rig = makeNativeRig({ lanes: { command: () => command } });
    t.teardown(() => rig.dispose());
    const { near, far } = rig.hal(Channel).pair({ name: 'link' });
    rig.hal(Channel).listen({ channel: near });
    rig.hal(Process).spawn({ lane: 'device', give: [far] });
    const { attached } = await rig.nextEvent(Channel, 'message');
    const [listener = 0, activity = 0] = attached;
    rig.hal(Seccomp).supervise({ listener, activity });
    const attacked = new Attacked(rig, near);
    void attacked.#refuseAll();
    return attacked;
  }

  /** Lets it try; what came of it. */
  async tell(order: string): Promise<string> {
    this.say(order);
    const { data } = await this.rig.nextEvent(Channel, 'message');
    return new TextDecoder().decode(data);
  }

  say(order: string): void {
    const data = new TextEncoder().encode(order);
    this.rig.hal(Channel).send({ channel: this.#channel, data, attach: [] });
  }

  /** The names of what was refused since the last time. */
  takeNames(): string[] {
    const { syscallNames } = architectureOf(process.arch);
    return this.refused.splice(0).map(({ number }) => syscallNames.get(number) ?? `${number}`);
  }

  async #refuseAll(): Promise<void> {
    for (;;) {
      const event = await this.rig.nextEvent(Seccomp, 'refused');
      this.refused.push(event);
      this.rig.hal(Seccomp).answer({ refusal: event.refusal, verdict: 'fail', errno: EPERM });
    }
  }
}

/** What JavaScript can try, and which system calls are reported for it. */
const SCRIPTED: readonly (readonly [order: string, outcome: RegExp, reported: RegExp])[] = [
  ['open-to-write', /^EPERM$/, /^openat$/],
  ['open-to-read', /^EPERM$/, /^$/],
  ['start-a-program', /^EPERM$/, /./],
  ['signal-the-parent', /^EPERM$/, /^kill$/],
  ['start-a-thread', /^ERR_WORKER_INIT_FAILED$|^EPERM$|^EMFILE$|^ENOMEM$|^EAGAIN$/, /./],
];

/** As raw-calls.c numbers them. */
const RAW: readonly (readonly [title: string, reported: string])[] = [
  ['opens a file', 'openat'],
  ['makes a socket', 'socket'],
  ['connects', 'connect'],
  ['executes a program', 'execve'],
  ['maps executable memory', 'mmap'],
  ['makes its own memory executable', 'mprotect'],
  ['traces its parent', 'ptrace'],
  ['forks', 'clone'],
  ['signals its parent', 'kill'],
  ['ends its parent as abort would', 'tgkill'],
  ['lets the kernel signal its parent', 'fcntl'],
  ["writes into its parent's memory", 'process_vm_writev'],
  ['installs a filter of its own', 'seccomp'],
];

jailTest('an attacker with JavaScript is refused, and reported', async (t) => {
  const attacked = await Attacked.start(t);
  for (const [order, outcome, reported] of SCRIPTED) {
    t.regex(await attacked.tell(order), outcome, order);
    t.regex(attacked.takeNames().join(' '), reported, order);
  }
  attacked.say('exit');
  t.is((await attacked.rig.nextEvent(Process, 'exited')).code, 0);
  t.deepEqual(attacked.takeNames(), [], 'a clean end needs nothing that is refused');
});

rawTest('an attacker with machine code is refused, and reported', async (t) => {
  const attacked = await Attacked.start(t);
  for (const [at, [title, reported]] of RAW.entries()) {
    t.is(await attacked.tell(`raw ${at + 1}`), 'EPERM', title);
    const [event] = attacked.refused;
    t.true(event?.isMainThread, title);
    t.deepEqual(attacked.takeNames(), [aliased(reported)], title);
  }
  attacked.say('exit');
  t.is((await attacked.rig.nextEvent(Process, 'exited')).code, 0);
});

/** The name of the architecture's own. */
function aliased(name: string): string {
  if (process.arch !== 'arm') return name;
  return { mmap: 'mmap2', fcntl: 'fcntl64' }[name] ?? name;
}

const CRASHES = [
  { order: 'throw', code: 1, signal: '', says: /a crash on purpose[\s\S]*at / },
  { order: 'abort', code: -1, signal: 'SIGABRT', says: /^/ },
  { order: 'run-out-of-memory', code: -1, signal: 'SIGABRT', says: /heap out of memory/ },
] as const;

for (const { order, code, signal, says } of CRASHES) {
  jailTest(`a crash is clean in the jail: ${order}`, async (t) => {
    const stderr = join(folder, `${order}.txt`);
    const attacked = await Attacked.start(t, `2>${stderr}`);
    attacked.say(order);
    const exited = await attacked.rig.nextEvent(Process, 'exited');
    t.deepEqual({ code: exited.code, signal: exited.signal }, { code, signal });
    t.regex(existsSync(stderr) ? readFileSync(stderr, 'utf8') : '', says);
    t.deepEqual(attacked.takeNames(), [], 'nothing of it is refused');
  });
}

jailTest(
  'what is written to the standard error comes out of the jail, to a file and to a pipe',
  async (t) => {
    const [file, pipe, copy] = ['file', 'pipe', 'copy'].map((name) => join(folder, name));
    const piped = `2>${pipe}`;
    spawnSync('mkfifo', [`${pipe}`]);
    const reader = spawn('/bin/sh', ['-c', `cat ${pipe} >${copy}`], { stdio: 'ignore' });
    const read = new Promise((resolve) => reader.on('exit', resolve));
    for (const [redirection, seen] of [
      [`2>${file}`, file],
      [piped, copy],
    ]) {
      const attacked = await Attacked.start(t, redirection);
      t.is(await attacked.tell('write-to-stderr'), 'done');
      attacked.say('exit');
      t.is((await attacked.rig.nextEvent(Process, 'exited')).code, 0);
      if (redirection === piped) await read;
      t.regex(readFileSync(`${seen}`, 'utf8'), /said on purpose/);
      t.deepEqual(attacked.takeNames(), []);
    }
  },
);
