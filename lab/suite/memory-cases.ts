import { BYTES_PER_MIB } from '../../src/hal/contract/units.js';
import {
  atLeast,
  atMost,
  equal,
  fieldOf,
  kilobytesOf,
  mib,
  residentOf,
  textOf,
  within,
} from './figures.js';
import { countPattern, fillWithPattern, oldDataIsGone } from './old-data.js';
import {
  balloon,
  COUNT_TROUBLE,
  linuxRun,
  memFree,
  POWER_OFF,
  run,
  touch,
  value,
} from './steps.js';
import type { SuiteCase } from './suite-case.js';

const MB = 1_000_000;
const SMALL_MIB = 64;
const LARGE_MIB = 200;
/** Linux keeps about 40 MiB of it for itself, so that 200 of the some 250 MiB that are left can go. */
const INFLATE_RAM_MIB = 288;

/** A12. */
const inflate: SuiteCase = {
  name: 'inflate',
  config: (arch) =>
    linuxRun(arch, INFLATE_RAM_MIB, [
      ...touch(LARGE_MIB),
      ...memFree('free before'),
      { measure: 'touched' },
      ...balloon(SMALL_MIB),
      ...memFree('free after'),
      { measure: 'first' },
      ...balloon(0),
      ...touch(LARGE_MIB),
      { measure: 'touched again' },
      ...balloon(SMALL_MIB),
      { measure: 'second' },
      ...balloon(LARGE_MIB),
      { measure: 'large' },
      ...balloon(0),
      ...COUNT_TROUBLE,
      ...POWER_OFF,
    ]),
  checks: ({ report }) => {
    const freed = kilobytesOf(report, 'free before') - kilobytesOf(report, 'free after');
    const released = residentOf(report, 'touched') - residentOf(report, 'first');
    const small = SMALL_MIB * BYTES_PER_MIB;
    const drift = Math.abs(residentOf(report, 'second') - residentOf(report, 'first'));
    // What the balloon does not hold stays the guest's, and it has used all of it.
    const floor = (INFLATE_RAM_MIB - LARGE_MIB) * BYTES_PER_MIB;
    return [
      atLeast(`${SMALL_MIB} MiB: MemFree falls by`, freed, 0.85 * small),
      atLeast(`${SMALL_MIB} MiB: the host's falls by`, released, 0.85 * small),
      atMost('inflated again: drift', drift, 20 * MB),
      atMost(
        `${LARGE_MIB} of ${INFLATE_RAM_MIB} MiB: above the floor of ${mib(floor)}`,
        Math.max(0, residentOf(report, 'large') - floor),
        15 * MB,
      ),
    ];
  },
};

const ZERO_RAM_MIB = 256;
const PATTERN_MIB = 128;
/** All that is free but 12 to 20 MiB. */
const ZERO_BALLOON_MIB = 172;
/** A14: the guest's own view of what it gave up. */
const zeros: SuiteCase = {
  name: 'zeros',
  config: (arch) =>
    linuxRun(arch, ZERO_RAM_MIB, [
      ...fillWithPattern(PATTERN_MIB),
      ...value(countPattern(arch), 'before'),
      ...balloon(ZERO_BALLOON_MIB),
      ...balloon(0),
      ...value(countPattern(arch), 'after'),
      ...COUNT_TROUBLE,
      ...POWER_OFF,
    ]),
  checks: ({ report }) => {
    return oldDataIsGone(report, `${ZERO_BALLOON_MIB} MiB were given up`);
  },
};

const STATS_RAM_MIB = 256;
const FIGURES: Readonly<Record<string, string>> = {
  freeBytes: '$1 == "MemFree:" {print $2 * 1024}',
  totalBytes: '$1 == "MemTotal:" {print $2 * 1024}',
  availableBytes: '$1 == "MemAvailable:" {print $2 * 1024}',
  diskCachesBytes: '$1 == "nr_file_pages" {print $2 * 4096}',
  majorFaults: '$1 == "pgmajfault" {print $2}',
  minorFaults: '$1 == "pgfault" {print $2}',
  swapInBytes: '$1 == "pswpin" {print $2 * 4096}',
  swapOutBytes: '$1 == "pswpout" {print $2 * 4096}',
  hugetlbAllocations: '$1 == "htlb_buddy_alloc_success" {print $2}',
  hugetlbFailures: '$1 == "htlb_buddy_alloc_fail" {print $2}',
};

/** The guest's own figures by one program, each with its name: whatever starts in the guest adds to its page faults. */
const OWN_FIGURES = `awk '${Object.entries(FIGURES)
  .map(([name, program]) => program.replace('{print ', `{print "${name}", `))
  .join(' ')}' /proc/meminfo /proc/vmstat | tr '\\n' ' '`;

/** Enough page faults that those of awk do not count: busybox's tail keeps in memory what it will print. */
const FAULT_PAGES = 'head -c 33554432 /dev/zero | tail -c 33554432 >/dev/null';

function ownFigure(text: string, name: string): number {
  const [, figure] = new RegExp(`(?:^| )${name} (\\d+)`).exec(text) ?? [];
  return Number(figure ?? Number.NaN);
}

const REBIND =
  'cd /sys/bus/virtio/drivers/virtio_balloon && for d in virtio*; do echo $d >unbind; echo $d >/tmp/name; done';

/** A15, and 5.2: the statistics, with a balloon that holds something. */
const statsAndRebind: SuiteCase = {
  name: 'stats-and-rebind',
  config: (arch) =>
    linuxRun(arch, STATS_RAM_MIB, [
      ...balloon(SMALL_MIB),
      ...run('dd if=/dev/zero of=/tmp/kept bs=1M count=32 2>/dev/null'),
      ...run(FAULT_PAGES),
      { stats: 'stats' },
      ...value(OWN_FIGURES, 'own figures'),
      ...run(REBIND),
      { waitActualMiB: 0 },
      { measure: 'unbound' },
      ...memFree('free unbound'),
      ...run('cat /tmp/name >/sys/bus/virtio/drivers/virtio_balloon/bind'),
      { waitActualMiB: SMALL_MIB },
      { measure: 'bound' },
      ...memFree('free bound'),
      ...balloon(0),
      { measure: 'empty' },
      ...COUNT_TROUBLE,
      ...POWER_OFF,
    ]),
  checks: ({ report }) => {
    const own = textOf(report, 'own figures');
    const small = SMALL_MIB * BYTES_PER_MIB;
    const taken = kilobytesOf(report, 'free unbound') - kilobytesOf(report, 'free bound');
    return [
      ...Object.keys(FIGURES).map((name) =>
        within(name, fieldOf(report, 'stats', name), ownFigure(own, name), 0.05),
      ),
      equal('unbound: the balloon holds', mib(fieldOf(report, 'unbound', 'actualBytes')), mib(0)),
      equal('bound: it holds', mib(fieldOf(report, 'bound', 'actualBytes')), mib(small)),
      atLeast('bound: MemFree falls by', taken, 0.85 * small),
      equal('on request it holds', mib(fieldOf(report, 'empty', 'actualBytes')), mib(0)),
    ];
  },
};

export const MEMORY_CASES: readonly SuiteCase[] = [inflate, zeros, statsAndRebind];
