import { createHash } from 'node:crypto';
import { BYTES_PER_MIB } from '../../src/hal/contract/units.js';
import { atLeast, equal, fieldOf, kilobytesOf, mib, numberOf, textOf } from './figures.js';
import {
  balloon,
  COUNT_TROUBLE,
  exitCode,
  linuxRun,
  memFree,
  POWER_OFF,
  run,
  touch,
  value,
} from './steps.js';
import type { SuiteCase } from './suite-case.js';

const SMALL_RAM_MIB = 256;
const SMALL_MIB = 64;

/** The guest's processors as it counts them, and one that each has worked on. */
const COUNT_CPUS = value('nproc', 'processors');
/** Every vCPU does something, and the guest waits for all of them. */
const WORK_ON_ALL = run(
  'for c in $(seq 0 $(($(nproc) - 1))); do taskset $((1 << c)) true || exit 1; done',
);

/** So many vCPUs work, and a balloon is filled and emptied. */
function smallMachine(
  cpus: number,
  name: string,
  more: Omit<SuiteCase, 'name' | 'config' | 'checks'> & {
    readonly steps?: ReturnType<typeof value>;
    readonly checks?: SuiteCase['checks'];
  } = {},
): SuiteCase {
  const { steps = [], checks = () => [], ...rest } = more;
  return {
    ...rest,
    name,
    config: (arch) =>
      linuxRun(
        arch,
        SMALL_RAM_MIB,
        [
          ...COUNT_CPUS,
          ...WORK_ON_ALL,
          ...steps,
          ...memFree('free before'),
          ...balloon(SMALL_MIB),
          ...memFree('free after'),
          ...balloon(0),
          ...COUNT_TROUBLE,
          ...POWER_OFF,
        ],
        { cpus },
      ),
    checks: (evidence) => {
      const { report } = evidence;
      return [
        ...checks(evidence),
        equal('processors', numberOf(report, 'processors'), cpus),
        atLeast(
          `${SMALL_MIB} MiB: MemFree falls by`,
          kilobytesOf(report, 'free before') - kilobytesOf(report, 'free after'),
          0.85 * SMALL_MIB * BYTES_PER_MIB,
        ),
      ];
    },
  };
}

const threeCpus = smallMachine(3, 'three-cpus');

/** The name of the interrupt controller of a guest's first interrupt: Linux calls a GICv2 by a number, and others GICv3. */
const INTERRUPT_CONTROLLER = 'grep -oE "GIC[^ ]+" /proc/interrupts | head -n 1';

const gicV2 = smallMachine(2, 'older-interrupt-controller', {
  skip: { x86_64: 'its interrupt controllers have one version only' },
  needsGicV2: true,
  steps: value(INTERRUPT_CONTROLLER, 'controller'),
  checks: ({ report }) => [
    equal('the interrupt controller', textOf(report, 'controller'), 'GIC-0'),
  ],
});

/** On x86_64 3 GiB of it lie below 4 GiB, on arm64 2 GiB; Linux calls the rest the zone Normal, and takes from it first. */
const LARGE_RAM_MIB = 5120;
const FOUR_GIB = 2 ** 32;
const LARGE_BALLOON_MIB = 768;
const LARGE_TOUCH_MIB = 128;

/** Where the guest's memory ends, as it says. */
const RAM_END = 'awk \'/System RAM/ {split($1, a, "-"); e = a[2]} END {print e}\' /proc/iomem';
/** Free memory above 4 GiB, in kB. */
const HIGH_FREE =
  'awk \'/^Node/ {z = $4} /pages free/ && z == "Normal" {print $3 * 4}\' /proc/zoneinfo';

const fourCpus: SuiteCase = {
  name: 'four-cpus-and-five-gib',
  config: (arch) =>
    linuxRun(
      arch,
      LARGE_RAM_MIB,
      [
        ...COUNT_CPUS,
        ...WORK_ON_ALL,
        ...value(RAM_END, 'last address'),
        ...value(HIGH_FREE, 'high before'),
        { measure: 'before' },
        ...touch(LARGE_TOUCH_MIB),
        { measure: 'touched' },
        ...balloon(LARGE_BALLOON_MIB),
        ...value(HIGH_FREE, 'high after'),
        { measure: 'held' },
        ...balloon(0),
        ...value(HIGH_FREE, 'high at the end'),
        ...COUNT_TROUBLE,
        ...POWER_OFF,
      ],
      { cpus: 4 },
    ),
  checks: ({ report }) => {
    const taken = kilobytesOf(report, 'high before') - kilobytesOf(report, 'high after');
    const back = kilobytesOf(report, 'high at the end') - kilobytesOf(report, 'high after');
    const wanted = 0.85 * LARGE_BALLOON_MIB * BYTES_PER_MIB;
    const lastAddress = Number.parseInt(textOf(report, 'last address'), 16);
    return [
      equal('processors', numberOf(report, 'processors'), 4),
      atLeast('RAM ends at', lastAddress + 1, FOUR_GIB + 1),
      atLeast(
        `${LARGE_TOUCH_MIB} MiB used: the host's rises by`,
        fieldOf(report, 'touched', 'residentBytes') - fieldOf(report, 'before', 'residentBytes'),
        0.85 * LARGE_TOUCH_MIB * BYTES_PER_MIB,
      ),
      atLeast(`${LARGE_BALLOON_MIB} MiB: free memory above 4 GiB falls by`, taken, wanted),
      atLeast('deflated: it rises by', back, wanted),
      equal(
        'the balloon held',
        mib(fieldOf(report, 'held', 'actualBytes')),
        mib(LARGE_BALLOON_MIB * BYTES_PER_MIB),
      ),
    ];
  },
};

const panic: SuiteCase = {
  name: 'panic',
  config: (arch) =>
    linuxRun(arch, SMALL_RAM_MIB, [
      { type: 'echo c >/proc/sysrq-trigger' },
      { waitLine: '^never$' },
    ]),
  exitCode: 1,
  hasNoLog: true,
  checks: ({ report }) => [
    equal('the end', report.end?.kind ?? 'none', 'panic'),
    equal(
      "in the kernel's words",
      report.end?.kind === 'panic' ? report.end.message : 'none',
      'sysrq triggered crash',
    ),
  ],
};

const DISK_MIB = 16;
/** What the guest writes: its second half only, so that the first must stay as it was. */
const HALF = (DISK_MIB / 2) * BYTES_PER_MIB;
const PATTERN_BYTE = 0xfe;

function expectedDisk(): string {
  const content = Buffer.alloc(2 * HALF);
  content.fill(PATTERN_BYTE, HALF);
  return createHash('sha256').update(content).digest('hex');
}

const WRITE_HALF =
  `head -c ${HALF} /dev/zero | tr '\\000' '\\376' | ` +
  `dd of=/dev/vda bs=1M seek=${DISK_MIB / 2} iflag=fullblock conv=fsync,notrunc 2>/dev/null`;
/** The second time from the disk and not from the page cache. */
const READ_AGAIN = "echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/vda | cut -d ' ' -f 1";
const WRITE_READ_ONLY =
  'dd if=/dev/zero of=/dev/vdb bs=4096 count=1 conv=fsync,notrunc 2>/dev/null';

const disk: SuiteCase = {
  name: 'disk',
  diskMiB: DISK_MIB,
  config: (arch) =>
    linuxRun(
      arch,
      SMALL_RAM_MIB,
      [
        ...value('cat /sys/block/vda/size', 'sectors'),
        ...run(WRITE_HALF),
        ...value(READ_AGAIN, 'read back'),
        ...value('cat /sys/block/vdb/ro', 'read-only'),
        ...exitCode(WRITE_READ_ONLY, 'written to read-only'),
        ...COUNT_TROUBLE,
        ...POWER_OFF,
      ],
      {
        disks: [
          { kind: 'file', readOnly: false },
          { kind: 'file', readOnly: true },
        ],
      },
    ),
  checks: ({ report }) => [
    equal('sectors', numberOf(report, 'sectors'), (DISK_MIB * BYTES_PER_MIB) / 512),
    equal('the guest reads back', textOf(report, 'read back'), expectedDisk()),
    equal("the host's file has", report.diskSha256 ?? 'nothing', expectedDisk()),
    equal('the second disk is read-only', numberOf(report, 'read-only'), 1),
    {
      what: 'writing to it ends with',
      figure: textOf(report, 'written to read-only'),
      limit: 'is not 0',
      holds: numberOf(report, 'written to read-only') !== 0,
    },
  ],
};

export const MACHINE_CASES: readonly SuiteCase[] = [threeCpus, fourCpus, panic, disk, gicV2];
