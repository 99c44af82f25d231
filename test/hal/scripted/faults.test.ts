import test from 'ava';
import { Mmap } from '../../../src/hal/mmap.js';
import { Faults } from '../../../src/hal/scripted/faults.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { recording, replaying, type TestProgram, turnsOf } from '../harness.js';

const program =
  (seen: unknown[]): TestProgram =>
  ({ get }) => {
    const mmap = get(Mmap);
    const region = mmap.createRegion({ name: 'ram', size: 4 * 4096 });
    mmap.write({ region, offset: 0, data: new Uint8Array(4 * 4096).fill(1) });
    for (let page = 0; page < 4; page++) {
      try {
        mmap.discard({ region, ranges: Float64Array.of(page * 4096, 4096) });
        seen.push('discarded');
      } catch (error) {
        const { code, errno, syscall, message } = error as Record<string, unknown>;
        seen.push({ code, errno, syscall, message });
      }
    }
    seen.push(mmap.residency({ region }));
  };

test('the chosen call fails without reaching the implementation, and replays without the injector', (t) => {
  const faults = new Faults()
    .failCall(Mmap, 'discard', 3, { errno: 12, syscall: 'madvise' })
    .failCall(Mmap, 'discard', 5, { errno: 12 })
    .failCall(Mmap, 'load', 1, {});
  const { buffer, start } = recording([Mmap], [faults.wrap(simulatedMemory())]);
  const recorded: unknown[] = [];
  start(program(recorded));
  t.deepEqual(recorded, [
    'discarded',
    'discarded',
    {
      code: 'SYSCALL_FAILED',
      errno: 12,
      syscall: 'madvise',
      message: 'mmap.discard: injected failure of call 3 (madvise, errno 12)',
    },
    'discarded',
    4096,
  ]);
  t.deepEqual(faults.unused(), [
    { contract: 'mmap', call: 'discard', nth: 5, made: 4 },
    { contract: 'mmap', call: 'load', nth: 1, made: 0 },
  ]);
  const replayed: unknown[] = [];
  const { again } = replaying([Mmap], buffer, program(replayed));
  t.deepEqual(replayed, recorded);
  t.deepEqual(turnsOf(again), turnsOf(buffer));
});

test('a fault may have any code; what cannot be is refused', (t) => {
  const faults = new Faults().failCall(Mmap, 'createRegion', 1, { code: 'UNSUPPORTED' });
  const { start, ends } = recording([Mmap], [faults.wrap(simulatedMemory())]);
  start(program([]));
  t.like(ends[0]?.failure, { code: 'UNSUPPORTED', errno: undefined });
  t.deepEqual(faults.unused(), []);
  t.throws(() => faults.failCall(Mmap, 'discard', 0, {}), { instanceOf: TypeError });
  t.throws(() => faults.failCall(Mmap, 'melt' as 'load', 1, {}), { instanceOf: TypeError });
});

test('the wrapped implementation keeps what it says of itself', (t) => {
  let disposed = false;
  const memory = {
    ...simulatedMemory(),
    validates: true,
    dispose: () => {
      disposed = true;
    },
  };
  const wrapped = new Faults().wrap(memory);
  wrapped.dispose?.();
  t.true(disposed);
  t.true(wrapped.validates);
});
