import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { balloonVm } from '../../src/programs/balloon-vm.js';
import { Recording } from '../../src/trace/recording.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { Random } from '../trace/random.js';
import { DamageMaker } from '../trace/recording-damage.js';
import { scratchDirectory } from '../trace/support.js';

const MAIN = 'dist/bin/halyard.cjs';
const REAL = new Uint8Array(readFileSync('recordings/hostile-guest/run.mcap'));
/** The largest chunk that is unpacked, twice, and what Node needs itself. */
const MAX_KIB = 320 * 1024;
const MUTATIONS = 44;

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly peakKiB: number;
}

/** Runs the command and asks the system for its peak memory at the end. */
async function run(folder: string, args: readonly string[]): Promise<Result> {
  const [gauge, peak] = [join(folder, 'gauge.mjs'), join(folder, 'peak')];
  writeFileSync(
    gauge,
    `import { readFileSync, writeFileSync } from 'node:fs';
    process.on('exit', () => {
      const ofSystem = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '';
      const peak = /VmHWM:\\s+(\\d+)/.exec(ofSystem)?.[1] ?? process.resourceUsage().maxRSS;
      writeFileSync(${JSON.stringify(peak)}, String(peak));
    });`,
  );
  const all = ['--import', pathToFileURL(gauge).href, MAIN, ...args];
  const { code, stdout, stderr } = await promisify(execFile)(process.execPath, all).then(
    (done) => ({ code: 0, ...done }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  return { code, stdout, stderr, peakKiB: Number(readFileSync(peak, 'utf8')) };
}

/** A sound file of ours whose turns are what `fill` writes. */
function ours(path: string, fill: (lane: ReturnType<Recording['lane']>) => void): void {
  const recording = new Recording({
    path,
    program: { ...balloonVm, config: {} },
    contracts: balloonVm.contracts,
    library: 'halyard test',
    machine: {},
    onError: (error) => {
      throw error;
    },
  });
  fill(recording.lane('main'));
  recording.close();
}

/** A sound file of ours with these metadata records. */
function described(path: string, metadata: Readonly<Record<string, Record<string, string>>>): void {
  const writer = new TraceWriter({ path, library: 'halyard test', compression: 'none' });
  for (const [name, entries] of Object.entries(metadata)) writer.writeMetadata(name, entries);
  writer.close();
}

const PROGRAM = { package: 'halyard', export: 'balloonVm', version: '1', config: '{}' };

/** A length that a record claims, with the magic and enough bytes around it to get there. */
function claiming(opcode: number, length: bigint): Uint8Array {
  const bytes = REAL.slice();
  const view = new DataView(bytes.buffer);
  for (let at = 8; at < bytes.length - 8; ) {
    const next = at + 9 + view.getUint32(at + 1, true);
    if (view.getUint8(at) === opcode) {
      view.setBigUint64(at + 1, length, true);
      return bytes;
    }
    at = next;
  }
  throw new Error(`no record of type ${opcode}`);
}

type Maker = (path: string) => void;
const bytes =
  (content: Uint8Array | string): Maker =>
  (path) =>
    writeFileSync(path, content);

const HOSTILE: Readonly<Record<string, { make: Maker; says: RegExp }>> = {
  'an empty file': { make: bytes(''), says: /byte 0: the file is empty/ },
  'a picture': {
    make: bytes(Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')),
    says: /byte 0: not a trace/,
  },
  zeros: { make: bytes(new Uint8Array(1 << 20)), says: /byte 0: not a trace/ },
  text: { make: bytes('turn 1\nturn 2\n'), says: /byte 0: not a trace/ },
  'a folder': { make: (path) => mkdirSync(path), says: /byte 0: not a regular file/ },
  'half a magic': { make: bytes(REAL.slice(0, 5)), says: /byte 5: the file ends within/ },
  'the magic alone': { make: bytes(REAL.slice(0, 8)), says: /byte 8: / },
  'half a recording': { make: bytes(REAL.slice(0, 80_000)), says: /byte 80000: .*repair/ },
  'a missing last byte': { make: bytes(REAL.slice(0, -1)), says: /byte \d+: .*repair/ },
  'a Header of 2^63 bytes': { make: bytes(claiming(0x01, 1n << 63n)), says: /byte \d+: / },
  'a chunk of 2^40 bytes': { make: bytes(claiming(0x06, 1n << 40n)), says: /byte \d+: / },
  'metadata of 4 GiB': { make: bytes(claiming(0x0c, 0xffff_ffffn)), says: /byte \d+: / },
  'a lane of bombs': {
    make: (path) =>
      ours(path, (lane) => {
        const zeros = new Uint8Array(30 << 20);
        for (let turn = 0; turn < 14; turn += 1) lane.turn(turn, turn, zeros, zeros.length);
      }),
    says: /byte \d+: (chunk: the chunks together expand too far|lane main, message 0: )/,
  },
  'JSON that is none': {
    make: (path) =>
      described(path, { 'halyard.run': {}, 'halyard.program': { ...PROGRAM, config: '{' } }),
    says: /byte 0: "halyard.program" is not readable/,
  },
  'JSON nested without end': {
    make: (path) => {
      const config = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
      described(path, { 'halyard.run': {}, 'halyard.program': { ...PROGRAM, config } });
    },
    says: /byte 0: "halyard.program" is not readable/,
  },
  'contracts that are none': {
    make: (path) =>
      described(path, {
        'halyard.run': {},
        'halyard.program': PROGRAM,
        'halyard.contracts': { a: 'null' },
      }),
    says: /byte 0: "halyard.contracts" is not readable/,
  },
};

/** Refused with a position and a reason in one line, and nothing worse. */
function refused(t: ExecutionContext, result: Result, says: RegExp, about: string): void {
  t.is(result.code, 2, `${about}: ${result.stderr}`);
  t.regex(result.stderr, says, about);
  t.is(result.stderr.trim().split('\n').length, 1, `${about}: ${result.stderr}`);
  t.is(result.stdout, '', about);
  t.true(result.peakKiB < MAX_KIB, `${about}: ${result.peakKiB} KiB at its peak`);
}

for (const [title, { make, says }] of Object.entries(HOSTILE)) {
  test.serial(`replay and inspect refuse ${title}`, async (t) => {
    const folder = scratchDirectory(t);
    const path = join(folder, 'hostile.mcap');
    make(path);
    for (const command of ['replay', 'inspect']) {
      refused(t, await run(folder, [command, path]), says, command);
    }
  });
}

test.serial(
  'a recording that ended before its first turn is not identical to anything',
  async (t) => {
    const folder = scratchDirectory(t);
    const path = join(folder, 'none.mcap');
    ours(path, () => {});
    refused(t, await run(folder, ['replay', path]), /byte 0: it holds no turn/, 'replay');
  },
);

test.serial('a turn that no recorder wrote is refused where it stands', async (t) => {
  const folder = scratchDirectory(t);
  const path = join(folder, 'turn.mcap');
  ours(path, (lane) => lane.turn(0, 1, Uint8Array.of(0xff, 0xff, 0xff), 3));
  const says = /byte [1-9]\d*: lane main, message 0: /;
  refused(t, await run(folder, ['replay', path]), says, 'replay');
  refused(t, await run(folder, ['inspect', path, '--turn', '0']), says, 'inspect');
});

test.serial(
  `${MUTATIONS} damaged recordings given to one command are refused one by one`,
  async (t) => {
    const folder = scratchDirectory(t);
    const maker = new DamageMaker(REAL, new Random(7));
    const paths = Array.from({ length: MUTATIONS }, (_, index) => join(folder, `${index}.mcap`));
    for (const path of paths) writeFileSync(path, maker.next().bytes);
    const { code, stdout, stderr, peakKiB } = await run(folder, ['replay', '--json', ...paths]);
    t.is(code, 2);
    const results = JSON.parse(stdout) as { verdict: string; code: string; message: string }[];
    t.is(results.length, MUTATIONS);
    for (const { verdict, code: name, message } of results) {
      t.is(verdict, 'error', message);
      t.regex(name, /^TRACE_/, message);
      t.regex(message, /: byte \d+: /);
    }
    t.is(stderr.trim().split('\n').length, MUTATIONS, 'a line for each, no stack');
    t.true(peakKiB < MAX_KIB, `${peakKiB} KiB at its peak`);
  },
);
