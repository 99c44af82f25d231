import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import { BYTES_PER_MIB } from '../../src/hal/contract/units.js';
import {
  atLeast,
  atMost,
  equal,
  fieldOf,
  kilobytesOf,
  mib,
  numberOf,
  residentOf,
  textOf,
  within,
} from './figures.js';
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
const SAMPLE_MIB = 16;
const SAMPLE_AT_MIB = 128;
const RAM_BASE: Readonly<Record<GuestArchitecture, string>> = { x86_64: '0', arm64: '0x80000000' };

/**
 * How many bytes of a part of the guest's RAM are 0xfe, whoever owns them: user space sees only pages that were zeroed
 * for it, but /proc/kcore has the kernel's map of all memory, free pages included. Its program headers say where that
 * part is in the file (56 bytes each: type and flags, offset, virtual and physical address, size).
 */
function countPattern(arch: GuestArchitecture): string {
  return (
    `s=$((${RAM_BASE[arch]} + (${SAMPLE_AT_MIB} << 20))); n=$((${SAMPLE_MIB} << 20)); ` +
    'od -A n -v -t x8 -w56 -j 64 -N 1792 /proc/kcore | while read f o v p z r; do ' +
    'case $f in *00000001) ;; *) continue;; esac; p=$((0x$p)); ' +
    '[ $p -ge 0 ] && [ $p -le $s ] && [ $((p + 0x$z)) -ge $((s + n)) ] || continue; ' +
    `dd if=/proc/kcore bs=4096 skip=$(((0x$o + s - p) / 4096)) count=$((n / 4096)) 2>/dev/null | ` +
    "tr -cd '\\376' | wc -c; break; done"
  );
}

/** A14: the guest's own view of what it gave up. */
const zeros: SuiteCase = {
  name: 'zeros',
  config: (arch) =>
    linuxRun(arch, ZERO_RAM_MIB, [
      ...run("dd if=/dev/zero bs=1M count=1 2>/dev/null | tr '\\000' '\\376' >/tmp/one"),
      ...run(
        `i=0; while [ $i -lt ${PATTERN_MIB} ]; do cat /tmp/one; i=$((i + 1)); done >/tmp/all; rm /tmp/all /tmp/one`,
      ),
      ...value(countPattern(arch), 'before'),
      ...balloon(ZERO_BALLOON_MIB),
      ...balloon(0),
      ...value(countPattern(arch), 'after'),
      ...COUNT_TROUBLE,
      ...POWER_OFF,
    ]),
  checks: ({ report }) => {
    const before = numberOf(report, 'before');
    const after = numberOf(report, 'after');
    return [
      atLeast('old data in a sample of free memory', before, (SAMPLE_MIB / 2) * BYTES_PER_MIB),
      atMost(`the same after ${ZERO_BALLOON_MIB} MiB were given up`, after, before / 10),
    ];
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
