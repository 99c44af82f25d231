import test from 'ava';
import { GuestFaults } from '../../../src/devices/virtio/guest-faults.js';

test('B14: every fault is counted, and a flood of them reported a few times', (t) => {
  const reports: number[] = [];
  const faults = new GuestFaults((fault, count) => {
    t.is(fault, 'bad-head');
    reports.push(count);
  });
  for (let index = 0; index < 1_000_000; index++) faults.count('bad-head');
  t.is(faults.of('bad-head'), 1_000_000);
  t.is(faults.counts['bad-head'], 1_000_000);
  t.is(faults.counts['bad-next'], 0);
  t.is(reports.length, 20);
  t.deepEqual(reports.slice(0, 4), [1, 2, 4, 8]);
});

test('many at once are one report, none is none', (t) => {
  const reports: number[] = [];
  const faults = new GuestFaults((_, count) => {
    reports.push(count);
  });
  faults.count('pfn-duplicate', 0);
  faults.count('pfn-duplicate', 100);
  faults.count('pfn-duplicate', 20);
  faults.count('pfn-duplicate', 20);
  t.deepEqual(reports, [100, 140]);
});
