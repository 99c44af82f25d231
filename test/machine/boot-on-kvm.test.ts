import test from 'ava';
import { MIB } from './harness.js';
import { runGuest, whyNoKvm } from './kvm-lab.js';

const reason = whyNoKvm();
/** Guests need hardware; without it these tests say why they are skipped. */
const onKvm = reason === undefined ? test : test.skip;
const name = (title: string): string => (reason === undefined ? title : `${title} (${reason})`);

/** The guest counts real time: on a busy host it must not give up before the device had its turn. */
const IDLE_US = 600_000;

onKvm(name('the micro guest boots, finds its balloon and ends'), async (t) => {
  const { end, run, lines, shown } = await runGuest({
    ramBytes: 64 * MIB,
    guest: { flags: ['lineConsole', 'statistics'], idleExitUs: 20_000, waitTimeoutUs: 2_000_000 },
  });
  t.is(run.failure, undefined);
  t.deepEqual(end, { kind: 'guest-exit', code: 0 });
  t.regex(lines[0] ?? '', /^micro-guest: ready ram=16384 pages free=\d+ pages features=0x\w+$/);
  t.is(lines.at(-1), 'micro-guest: idle, exit');
  t.is(shown, lines.map((line) => `${line}\n`).join(''));
  t.deepEqual(run.unanswered, []);
});

onKvm(name('inflating gives host memory back, deflated pages read as zero'), async (t) => {
  const target = 4096;
  let full = 0;
  let inflated = Number.NaN;
  const { end, run, lines } = await runGuest({
    ramBytes: 64 * MIB,
    guest: {
      flags: ['lineConsole', 'retouch', 'verify'],
      touchBytes: 32 * MIB,
      idleExitUs: IDLE_US,
      waitTimeoutUs: 2_000_000,
    },
    onLine: (line, { device, residency }) => {
      if (/freed/.test(line)) {
        full = residency();
        device?.setTargetBytes(target * 4096);
      }
      if (line === `micro-guest: balloon ${target} pages`) {
        inflated = residency();
        device?.setTargetBytes(0);
      }
    },
  });
  t.is(run.failure, undefined);
  t.deepEqual(end, { kind: 'guest-exit', code: 0 });
  t.true(lines.includes('micro-guest: pattern-check failures 0 pages'), lines.join('\n'));
  t.true(lines.includes('micro-guest: zero-check failures 0 of 4096 pages'), lines.join('\n'));
  t.true(full >= 32 * MIB, `${full}`);
  // All that the balloon took had content, so all of it is the host's again.
  t.true(full - inflated >= target * 4096 - MIB, `${full} -> ${inflated}`);
});

onKvm(name('notifications that come as exits, and a console byte by byte, work too'), async (t) => {
  let inflated = 0;
  const { end, run, lines } = await runGuest({
    ramBytes: 64 * MIB,
    guest: { touchBytes: MIB, idleExitUs: IDLE_US, waitTimeoutUs: 2_000_000 },
    withoutEventfds: true,
    onLine: (line, { device }) => {
      if (/freed/.test(line)) device?.setTargetBytes(2 * MIB);
    },
    onActual: (pages) => {
      inflated = pages;
    },
  });
  t.is(run.failure, undefined);
  t.deepEqual(end, { kind: 'guest-exit', code: 0 });
  t.is(inflated, 512);
  t.true(lines.includes('micro-guest: balloon 512 pages'), lines.join('\n'));
});

onKvm(name('RAM above the gap reaches the guest’s parameters'), async (t) => {
  const { end, lines } = await runGuest({
    ramBytes: 3072 * MIB + 256 * MIB,
    guest: { flags: ['lineConsole'], idleExitUs: 10_000, waitTimeoutUs: 2_000_000 },
    beforeRun: ({ machine }) => {
      t.deepEqual(
        machine.ram.map(({ address, size }) => [address, size]),
        [
          [0, 3072 * MIB],
          [4096 * MIB, 256 * MIB],
        ],
      );
    },
  });
  t.deepEqual(end, { kind: 'guest-exit', code: 0 });
  t.regex(lines[0] ?? '', /ready ram=/);
});

onKvm(name('a slot without a device reads as ones: the guest says so and ends'), async (t) => {
  const { end, lines } = await runGuest({
    ramBytes: 16 * MIB,
    guest: { flags: ['lineConsole'] },
    withoutDevice: true,
  });
  t.deepEqual(end, { kind: 'guest-exit', code: 2 });
  t.true(
    lines.some((line) => /no usable balloon device/.test(line)),
    lines.join('\n'),
  );
});

onKvm(name('a triple fault is a shutdown'), async (t) => {
  const { end, run } = await runGuest({
    ramBytes: 16 * MIB,
    guest: {},
    beforeRun: ({ machine }) => {
      // ud2: an exception before there is anything that could handle one.
      machine.memory.write(0x100000, Uint8Array.of(0x0f, 0x0b));
    },
  });
  t.deepEqual(end, { kind: 'shutdown' });
  t.deepEqual(run.unanswered, []);
});

onKvm(name('a guest that sleeps or spins is stopped'), async (t) => {
  for (const code of [
    [0xf4, 0xeb, 0xfd],
    [0xeb, 0xfe],
  ]) {
    const { end, run } = await runGuest({
      ramBytes: 16 * MIB,
      guest: {},
      beforeRun: ({ machine }) => {
        // out 0x3f8, '\n', then hlt or a jump to itself, for ever.
        const line = [0xba, 0xf8, 0x03, 0, 0, 0xb0, 0x0a, 0xee];
        machine.memory.write(0x100000, Uint8Array.of(...line, ...code));
      },
      // In a later turn: this one ends with the vCPU back in the guest.
      onLine: (_line, { machine, later }) => later(() => machine.stop('enough')),
    });
    t.deepEqual(end, { kind: 'stopped', why: 'enough' });
    t.deepEqual(run.unanswered, []);
  }
});

onKvm(
  name('a driver that breaks the rules on purpose leaves a device that still works'),
  async (t) => {
    const { end, run, lines } = await runGuest({
      ramBytes: 64 * MIB,
      guest: {
        flags: ['lineConsole', 'statistics', 'retouch'],
        hostileMode: 1,
        idleExitUs: IDLE_US,
        waitTimeoutUs: 500_000,
      },
      onLine: (line, { device }) => {
        if (/hostile: done/.test(line)) device?.setTargetBytes(4 * MIB);
      },
    });
    t.is(run.failure, undefined);
    t.deepEqual(end, { kind: 'guest-exit', code: 0 }, lines.join('\n'));
    t.is(lines.filter((line) => /hostile: R\d+ /.test(line)).length, 72);
    t.true(lines.includes('micro-guest: balloon 1024 pages'), lines.slice(-20).join('\n'));
  },
);
