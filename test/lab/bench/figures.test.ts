import test from 'ava';
import { meets } from '../../../bench/table.js';
import { goalRows, labFigures, variantTable } from '../../../lab/bench/figures.js';
import { parseBenchOptions } from '../../../lab/bench/options.js';
import type { HostReport, Phase, RunSample } from '../../../lab/bench/samples.js';
import { halyardArgs, pauseMs, qemuArgs, type Variant } from '../../../lab/bench/vmm.js';
import { parseScenario } from '../../../src/programs/scenario.js';

const GUEST = {
  kernel: '/k',
  initrd: '/i',
  memoryMiB: 1024,
  balloonMiB: 768,
  commandLine: 'console=ttyS0 quiet',
};

function phase(seconds: number, own: number): Phase {
  return {
    seconds,
    cpu: { all: { own, guest: 1 }, vcpus: { own: own / 4, guest: 1 } },
    deviceExits: 3072,
  };
}

function sample(variant: Variant, bootS: number, inflateS: number, cpuS: number): RunSample {
  return {
    variant,
    boot: phase(bootS, 1),
    guestUpSeconds: bootS - 1,
    inflate: phase(inflateS, cpuS),
    residentBytesBefore: 2 ** 30,
    residentBytesAfter: 2 ** 28,
    traceBytes: variant === 'recorded' ? 2 ** 20 : undefined,
  };
}

function report(samples: readonly RunSample[]): HostReport {
  return {
    qemuVersion: '7.2',
    kernel: '6.1',
    processors: 2,
    memoryMiB: 3000,
    guest: GUEST,
    samples,
    discardCalls: { qemu: 393_216, halyard: 800 },
  };
}

test('ratios compare runs of one round, so that a slow round counts for both sides', (t) => {
  const figures = labFigures(
    report([
      sample('qemu', 4, 6, 6),
      sample('halyard', 5, 3, 2),
      // Somebody else used the machine.
      sample('halyard', 50, 30, 20),
      sample('qemu', 40, 60, 60),
      sample('qemu', 4, 6, 6),
      sample('halyard', 5, 3, 2),
    ]),
  );
  t.is(figures.ratios.inflateWall, 0.5);
  t.is(figures.ratios.bootWall, 1.25);
  t.is(figures.ratios.inflateCpu.toFixed(3), '0.333');
  t.is(figures.variants.halyard?.inflateSeconds, 3);
  t.is(figures.variants.halyard?.inflateDeviceExitsPerMiB, 4);
  t.is(figures.variants.halyard?.inflateVcpuThreadSeconds, 0.5);
  t.is(figures.variants.recorded, undefined);
});

test('each goal is reached or missed by its own figure', (t) => {
  const good = labFigures(
    report([
      sample('qemu', 4, 6, 6),
      sample('halyard', 4.8, 4.5, 3),
      sample('recorded', 5, 4.7, 3),
    ]),
  );
  t.deepEqual(goalRows(good).map(meets), [true, true, true, true, true]);
  const bad = labFigures(
    report([sample('qemu', 4, 6, 6), sample('halyard', 5, 5, 4), sample('recorded', 6, 6, 4)]),
  );
  t.deepEqual(goalRows(bad).map(meets), [false, false, false, false, false]);
  t.deepEqual(goalRows(labFigures(report([]))).map(meets), Array(5).fill(undefined));
});

test('the table has a line for each variant, and a dash for what was not counted', (t) => {
  const lines = variantTable(
    labFigures(report([sample('qemu', 4, 6, 6), sample('process', 5, 3, 2)])),
  ).split('\n');
  t.is(lines.length, 3);
  t.regex(lines[1] ?? '', /^qemu +4\.00 .* 393216$/);
  t.regex(lines[2] ?? '', /^process +5\.00 .* -$/);
});

test('both boot the same guest with the same command line', (t) => {
  const qemu = qemuArgs(GUEST);
  for (const variant of ['halyard', 'recorded', 'process'] as const) {
    const halyard = halyardArgs(GUEST, variant);
    for (const option of ['kernel', 'initrd', 'append']) {
      t.is(halyard[halyard.indexOf(`--${option}`) + 1], qemu[qemu.indexOf(`-${option}`) + 1]);
    }
    t.is(halyard.includes('--record'), variant === 'recorded');
    const scenario = parseScenario(JSON.parse(halyard[halyard.indexOf('--scenario') + 1] ?? ''));
    t.true(scenario.steps.some((step) => 'balloonMiB' in step && step.balloonMiB === 768));
  }
});

test('the balloon is asked rarely while much is left and often at the end', (t) => {
  t.is(pauseMs(0, 0, 100), 500);
  t.is(pauseMs(1000, 50, 10), 100);
  t.is(pauseMs(1000, 50, 500), 500);
  t.is(pauseMs(1000, 90, 0.1), 10);
});

test('options are checked', (t) => {
  t.deepEqual(parseBenchOptions([]), { rounds: 5, json: false });
  t.deepEqual(parseBenchOptions(['--rounds', '2', '--json']), { rounds: 2, json: true });
  for (const wrong of [['--rounds', '0'], ['--rounds', 'x'], ['--round', '1'], ['extra']]) {
    t.is(typeof parseBenchOptions(wrong), 'string', wrong.join(' '));
  }
});
