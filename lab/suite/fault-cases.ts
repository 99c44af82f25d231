import { Channel } from '../../src/hal/channel.js';
import { BYTES_PER_MIB } from '../../src/hal/contract/units.js';
import { Mmap } from '../../src/hal/mmap.js';
import type { ScenarioStep } from '../../src/programs/scenario.js';
import { agreement, atMost, equal, fieldOf, mib, residentOf } from './figures.js';
import { balloon, COUNT_TROUBLE, linuxRun, POWER_OFF, touch } from './steps.js';
import type { Check, Evidence, SuiteCase } from './suite-case.js';

/** The policy's maximum is then 256 MiB, and its step 16 MiB: it gets there with 16 messages, and then stays there. */
const POLICY_RAM_MIB = 512;
const END_MIB = 256;
/** More than the host has: the policy never has room. */
const ALWAYS_LOW_MIB = 1_000_000;
const EAGAIN = 11;
const ENOMEM = 12;

/** Under the policy, until the balloon holds as much as it should at a step of its. */
function underPolicy(steps: readonly ScenarioStep[], more: object = {}): SuiteCase['config'] {
  return (arch) =>
    linuxRun(
      arch,
      POLICY_RAM_MIB,
      [
        ...steps,
        { waitActualMiB: END_MIB },
        // Whatever else the policy would say by now it has said.
        { seconds: 2 },
        { measure: 'end' },
        ...COUNT_TROUBLE,
        { stop: true },
      ],
      { policy: 'step', margin: ALWAYS_LOW_MIB, ...more },
    );
}

function reachedTogether(evidence: Evidence): readonly Check[] {
  const end = fieldOf(evidence.report, 'end', 'actualBytes');
  return [
    equal('the balloon reaches', mib(end), mib(END_MIB * BYTES_PER_MIB)),
    agreement(evidence),
  ];
}

/** In the middle of a step, and later than the guest takes from loading its driver to its console. */
const deviceKilled: SuiteCase = {
  name: 'device-killed',
  config: underPolicy([{ waitActualMiB: 100 }, { killDevice: true }], {
    device: 'process',
  }),
  checks: (evidence) => [
    equal('lanes', evidence.replay.lanes.join(' '), 'main device device#2'),
    equal(
      'told of a restart',
      evidence.replay.notices.filter((notice) => notice.includes('started again')).length,
      1,
    ),
    ...reachedTogether(evidence),
  ],
};

const LAST_MESSAGE = 16;

const messageLost: SuiteCase = {
  name: 'message-lost',
  config: underPolicy([]),
  // Were it taken for told, the balloon would stay a step below for ever.
  faults: (faults) =>
    faults.failCall(Channel, 'send', LAST_MESSAGE, { errno: EAGAIN, syscall: 'sendmsg' }),
  checks: reachedTogether,
};

const HELD_MIB = 64;
const DISCARD_RAM_MIB = 256;

const discardFails: SuiteCase = {
  name: 'discard-fails',
  config: (arch) =>
    linuxRun(arch, DISCARD_RAM_MIB, [
      ...balloon(HELD_MIB),
      ...balloon(0),
      ...touch(128),
      { measure: 'touched' },
      ...balloon(HELD_MIB),
      { measure: 'held' },
      ...balloon(0),
      ...COUNT_TROUBLE,
      ...POWER_OFF,
    ]),
  faults: (faults) => faults.failCall(Mmap, 'discard', 3, { errno: ENOMEM, syscall: 'madvise' }),
  checks: ({ report }) => [
    atMost(
      `${HELD_MIB} MiB after a failure: the host holds of them`,
      Math.max(
        0,
        residentOf(report, 'held') + HELD_MIB * BYTES_PER_MIB - residentOf(report, 'touched'),
      ),
      0.15 * HELD_MIB * BYTES_PER_MIB,
    ),
  ],
};

const discardFailsUnderPolicy: SuiteCase = {
  name: 'discard-fails-under-policy',
  config: underPolicy([]),
  faults: (faults) => faults.failCall(Mmap, 'discard', 3, { errno: ENOMEM, syscall: 'madvise' }),
  checks: reachedTogether,
};

const noGuestMemory: SuiteCase = {
  name: 'no-guest-memory',
  config: (arch) => linuxRun(arch, DISCARD_RAM_MIB, POWER_OFF),
  faults: (faults) =>
    faults.failCall(Mmap, 'createRegion', 1, { errno: ENOMEM, syscall: 'ftruncate' }),
  exitCode: 1,
  hasNoLog: true,
  checks: ({ report, replay }) => [
    equal('the error', report.error?.code ?? 'none', 'SYSCALL_FAILED'),
    equal('the replayed error', replay.failure ?? 'none', report.error?.message ?? 'an error'),
  ],
};

export const FAULT_CASES: readonly SuiteCase[] = [
  deviceKilled,
  messageLost,
  discardFails,
  discardFailsUnderPolicy,
  noGuestMemory,
];
