import test from 'ava';
import {
  type QueueFunction,
  queueCount,
  queueFunctions,
} from '../../../src/devices/balloon/queue-functions.js';
import { featureSet } from '../../../src/devices/virtio/features.js';

const BITS = { stats: 1, hinting: 3, reporting: 5 } as const;
type Optional = keyof typeof BITS;
const NAMES: readonly Optional[] = ['stats', 'hinting', 'reporting'];

function subsets(of: readonly Optional[]): Optional[][] {
  return Array.from({ length: 2 ** of.length }, (_, mask) =>
    of.filter((_name, position) => (mask >> position) % 2 === 1),
  );
}

const features = (names: readonly Optional[]) =>
  featureSet([32, ...names.map((name) => BITS[name])]);

/** How each kind of driver numbers the queue of a feature that it negotiated. */
const COUNTINGS = {
  linux: (name: Optional, _offered: readonly Optional[], negotiated: readonly Optional[]) =>
    2 + negotiated.indexOf(name),
  qemu: (name: Optional, offered: readonly Optional[]) => 2 + offered.indexOf(name),
  table: (name: Optional) => 2 + NAMES.indexOf(name),
};

test('D1, K4, L6: every combination of offered and negotiated, in each of the three countings', (t) => {
  let combinations = 0;
  for (const offered of subsets(NAMES)) {
    for (const negotiated of subsets(offered)) {
      for (const [counting, numberOf] of Object.entries(COUNTINGS)) {
        const expected = new Map<number, QueueFunction>([
          [0, 'inflate'],
          [1, 'deflate'],
        ]);
        for (const name of negotiated) expected.set(numberOf(name, offered, negotiated), name);
        const ready = [...expected.keys()].reverse();
        const found = queueFunctions(features(offered), features(negotiated), ready);
        const what = `${counting}: offered ${offered.join()}, negotiated ${negotiated.join()}`;
        t.deepEqual(found, expected, what);
        const highest = Math.max(...ready);
        t.true(highest < queueCount(features(offered)), `${what}: queue ${highest} exists`);
        combinations++;
      }
    }
  }
  t.is(combinations, 27 * 3);
});

test('D1: there are as many queues as the table of the specification needs, and no more', (t) => {
  const counts = subsets(NAMES).map((offered) => [offered.join(), queueCount(features(offered))]);
  t.deepEqual(counts, [
    ['', 2],
    ['stats', 3],
    ['hinting', 4],
    ['stats,hinting', 4],
    ['reporting', 5],
    ['stats,reporting', 5],
    ['hinting,reporting', 5],
    ['stats,hinting,reporting', 5],
  ]);
});

test('K4: a driver that makes more or fewer queues ready than it negotiated is no Linux', (t) => {
  const all = features(NAMES);
  const named = (negotiated: readonly Optional[], ready: readonly number[]) =>
    Object.fromEntries(queueFunctions(all, features(negotiated), [0, 1, ...ready]));
  const pages = { 0: 'inflate', 1: 'deflate' };
  t.deepEqual(named(['reporting'], [2, 3, 4]), { ...pages, 4: 'reporting' }, 'all that is offered');
  t.deepEqual(named(['stats', 'reporting'], [4]), { ...pages, 4: 'reporting' }, 'one left out');
  t.deepEqual(named([], [2]), pages, 'the queue of a refused feature is left alone');
  t.deepEqual(
    named(['hinting', 'reporting'], [2]),
    pages,
    'no negotiated function has this number',
  );
});
