import test from 'ava';
import fc from 'fast-check';
import { ByteQueue } from '../../../src/devices/serial/byte-queue.js';

test('a queue is a list with a limit', (t) => {
  const step = fc.oneof(fc.uint8Array({ maxLength: 90, size: 'max' }), fc.nat(40));
  fc.assert(
    fc.property(fc.nat(300), fc.array(step, { maxLength: 30 }), (capacity, steps) => {
      const queue = new ByteQueue(capacity);
      let model: number[] = [];
      for (const bytes of steps) {
        if (typeof bytes === 'number') {
          const [taken, rest] = [model.slice(0, bytes), model.slice(bytes)];
          t.deepEqual(
            taken.map(() => queue.shift()),
            taken,
          );
          model = rest;
        } else {
          const fits = Math.min(bytes.length, capacity - model.length);
          t.is(queue.push(bytes), fits);
          model.push(...bytes.subarray(0, fits));
        }
        t.is(queue.length, model.length);
        t.deepEqual([...queue.contents], model);
      }
      queue.clear();
      t.is(queue.shift(), undefined);
    }),
  );
});
