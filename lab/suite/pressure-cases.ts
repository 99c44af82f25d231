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
} from './figures.js';
import {
  countPattern,
  DROP_PATTERN,
  fillWithPattern,
  oldDataIsGone,
  usePattern,
} from './old-data.js';
import { balloon, COUNT_TROUBLE, exitCode, linuxRun, POWER_OFF, run, value } from './steps.js';
import type { SuiteCase } from './suite-case.js';

const RAM_MIB = 256;
const BALLOON_MIB = 128;
/** So much more than is free is asked for. */
const EXCESS_MIB = 40;
/** 128 and SIGKILL. */
const KILLED = 137;

/** Anonymous memory: busybox's tail keeps in memory what it will print. What a killed process had comes back. */
const ASK_TOO_MUCH =
  `n=$(awk '/^MemFree:/{print ($2 + ${EXCESS_MIB} * 1024) * 1024}' /proc/meminfo); ` +
  'head -c $n /dev/zero | tail -c $n >/dev/null';

function outOfMemory(name: string, deflateOnOom: boolean, checks: SuiteCase['checks']): SuiteCase {
  return {
    name,
    config: (arch) =>
      linuxRun(
        arch,
        RAM_MIB,
        [
          ...value("awk '/^MemTotal:/{print $2}' /proc/meminfo", 'total before'),
          ...balloon(BALLOON_MIB),
          ...value("awk '/^MemTotal:/{print $2}' /proc/meminfo", 'total after'),
          // By default malloc refuses more than MemTotal, and no one is killed.
          ...run('echo 1 >/proc/sys/vm/overcommit_memory'),
          ...exitCode(ASK_TOO_MUCH, 'exit code'),
          ...value("dmesg | grep -c 'Out of memory: Killed'", 'kills'),
          { measure: 'then' },
          ...COUNT_TROUBLE,
          ...POWER_OFF,
        ],
        { balloon: { deflateOnOom } },
      ),
    checks,
  };
}

/** A13. */
const deflates = outOfMemory('oom-deflates', true, ({ report }) => [
  equal('the exit code of what asks for more than is free', numberOf(report, 'exit code'), 0),
  equal('killed processes', numberOf(report, 'kills'), 0),
  atMost(
    `the balloon of ${BALLOON_MIB} MiB holds then`,
    fieldOf(report, 'then', 'actualBytes'),
    (BALLOON_MIB - EXCESS_MIB / 2) * BYTES_PER_MIB,
  ),
  equal(
    'MemTotal falls by',
    mib(kilobytesOf(report, 'total before') - kilobytesOf(report, 'total after')),
    mib(0),
  ),
]);

const kills = outOfMemory('oom-kills', false, ({ report }) => [
  equal('the exit code of what asks for more than is free', numberOf(report, 'exit code'), KILLED),
  {
    what: 'killed processes',
    figure: String(numberOf(report, 'kills')),
    limit: 'at least 1',
    holds: numberOf(report, 'kills') >= 1,
  },
  equal(
    'the balloon holds then',
    mib(fieldOf(report, 'then', 'actualBytes')),
    mib(BALLOON_MIB * BYTES_PER_MIB),
  ),
  equal(
    'MemTotal falls by',
    mib(kilobytesOf(report, 'total before') - kilobytesOf(report, 'total after')),
    mib(BALLOON_MIB * BYTES_PER_MIB),
  ),
]);

const FREE_RAM_MIB = 512;
const FREED_MIB = 256;
const AGAIN_MIB = 128;
/** Of so little, what lies in blocks that Linux neither hints nor reports counts (4 and 2 MiB; smaller ones stay). */
const AGAIN_SHARE = 0.5;
/** Likewise, and more of it each time: what is used again goes into the small blocks first. */
const SECOND_ROUND_SHARE = 0.25;
/** One page in use keeps a whole block, and the sample is of eight and of four of them. */
const BLOCKS_REMAIN = 0.25;
const use = (amount: number) => run(`dd if=/dev/zero of=/tmp/x bs=1M count=${amount} 2>/dev/null`);
/** Linux reports two seconds after it has noticed, a part at a time (mm/page_reporting.c). */
const REPORTING_SECONDS = 10;

const fallsWithoutBalloon: SuiteCase['checks'] = ({ report }) => [
  atLeast(
    `${FREED_MIB} MiB freed: the host's falls by`,
    residentOf(report, 'used') - residentOf(report, 'freed'),
    0.8 * FREED_MIB * BYTES_PER_MIB,
  ),
  equal('the balloon holds', mib(fieldOf(report, 'freed', 'actualBytes')), mib(0)),
  atLeast(
    `${AGAIN_MIB} MiB used again: the host's rises by`,
    residentOf(report, 'again') - residentOf(report, 'freed'),
    AGAIN_SHARE * AGAIN_MIB * BYTES_PER_MIB,
  ),
];

/** 5.3. */
const reporting: SuiteCase = {
  name: 'reporting',
  config: (arch) =>
    linuxRun(
      arch,
      FREE_RAM_MIB,
      [
        ...usePattern(FREED_MIB),
        ...value(countPattern(arch), 'before'),
        { measure: 'used' },
        ...DROP_PATTERN,
        { seconds: REPORTING_SECONDS },
        { measure: 'freed' },
        ...value(countPattern(arch), 'after'),
        ...use(AGAIN_MIB),
        { measure: 'again' },
        { stats: 'stats' },
        ...COUNT_TROUBLE,
        ...POWER_OFF,
      ],
      { balloon: { freePageReporting: true } },
    ),
  checks: (evidence) => [
    ...fallsWithoutBalloon(evidence),
    ...oldDataIsGone(evidence.report, 'it was freed and reported', BLOCKS_REMAIN),
    atLeast(
      'the statistics queue works beside it: total',
      fieldOf(evidence.report, 'stats', 'totalBytes'),
      1,
    ),
  ],
};

const hinting: SuiteCase = {
  name: 'hinting',
  config: (arch) =>
    linuxRun(
      arch,
      FREE_RAM_MIB,
      [
        ...fillWithPattern(FREED_MIB),
        ...value(countPattern(arch), 'before'),
        { measure: 'used' },
        { hint: 'first round' },
        { measure: 'freed' },
        ...value(countPattern(arch), 'after'),
        ...use(AGAIN_MIB),
        { measure: 'again' },
        ...run('rm /tmp/x'),
        { hint: 'second round' },
        { measure: 'second' },
        ...balloon(BALLOON_MIB),
        ...COUNT_TROUBLE,
        ...POWER_OFF,
      ],
      { balloon: { freePageHinting: true } },
    ),
  checks: (evidence) => [
    ...fallsWithoutBalloon(evidence),
    ...oldDataIsGone(evidence.report, 'the hints', BLOCKS_REMAIN),
    atLeast(
      "hinted again: the host's falls by",
      residentOf(evidence.report, 'again') - residentOf(evidence.report, 'second'),
      SECOND_ROUND_SHARE * AGAIN_MIB * BYTES_PER_MIB,
    ),
  ],
};

export const PRESSURE_CASES: readonly SuiteCase[] = [deflates, kills, reporting, hinting];
