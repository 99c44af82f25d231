import { Worker } from 'node:worker_threads';
import test from 'ava';
import fc from 'fast-check';
import { FRAME, RingConsumer, RingProducer, ringMemory } from '../../src/trace/trace-ring.js';

const never = () => {
  throw new Error('the ring waited');
};

function pair(capacityBytes: number, mayWait: () => boolean = never) {
  const memory = ringMemory(capacityBytes);
  let wakes = 0;
  const producer = new RingProducer(memory, () => void wakes++, mayWait);
  return { producer, consumer: new RingConsumer(memory), wakes: () => wakes };
}

function seen(consumer: RingConsumer) {
  const { kind, channel, sequence, timeNs, bytes, start, end } = consumer;
  return { kind, channel, sequence, timeNs, payload: [...bytes.subarray(start, end)] };
}

const frames = fc.array(
  fc.record({
    channel: fc.nat(65_535),
    sequence: fc.nat(2 ** 32 - 1),
    timeNs: fc.nat(Number.MAX_SAFE_INTEGER),
    payload: fc.uint8Array({ maxLength: 300 }),
    /** How many frames the consumer takes after this one was put. */
    takes: fc.nat(3),
  }),
  { maxLength: 60 },
);

test('frames come out as they went in, around the end of the ring and in pieces', (t) => {
  fc.assert(
    fc.property(frames, (list) => {
      const { producer, consumer } = pair(1024, () => take());
      const got: object[] = [];
      const take = (): boolean => {
        if (!consumer.next()) return false;
        got.push(seen(consumer));
        consumer.release();
        return true;
      };
      for (const { channel, sequence, timeNs, payload, takes } of list) {
        producer.put(FRAME.turn, channel, sequence, timeNs, payload, payload.length);
        for (let count = 0; count < takes; count++) take();
      }
      while (take());
      t.deepEqual(
        got,
        list.map(({ channel, sequence, timeNs, payload }) => ({
          kind: FRAME.turn,
          channel,
          sequence,
          timeNs,
          payload: [...payload],
        })),
      );
    }),
  );
});

test('only the bytes up to the end given are taken, and the buffer may be reused at once', (t) => {
  const { producer, consumer } = pair(1024);
  const buffer = Uint8Array.of(1, 2, 3, 4, 5);
  producer.put(FRAME.turn, 0, 0, 0, buffer, 3);
  buffer.fill(9);
  t.true(consumer.next());
  t.deepEqual(seen(consumer).payload, [1, 2, 3]);
});

test('a full ring wakes the consumer; frames to one that is gone are dropped', (t) => {
  let asked = 0;
  const { producer, consumer } = pair(256, () => {
    asked++;
    return false;
  });
  const payload = new Uint8Array(32);
  for (let frame = 0; frame < 10; frame++) {
    producer.put(FRAME.turn, 0, frame, 0, payload, payload.length);
  }
  t.true(asked > 0);
  const sequences: number[] = [];
  while (consumer.next()) {
    sequences.push(consumer.sequence);
    consumer.release();
  }
  t.deepEqual(sequences, [0, 1, 2, 3]);
});

test('the consumer is called in earnest while half of the ring is full, before the producer must wait', (t) => {
  const memory = ringMemory(256);
  const calls: boolean[] = [];
  const producer = new RingProducer(memory, (isUrgent) => void calls.push(isUrgent), never);
  const consumer = new RingConsumer(memory);
  const put = () => producer.put(FRAME.turn, 0, 0, 0, new Uint8Array(32), 32);
  for (let frame = 0; frame < 3; frame++) put();
  t.deepEqual(calls, [false, false, true]);
  while (consumer.next()) consumer.release();
  put();
  t.deepEqual(calls.slice(3), [false]);
});

test('two threads: nothing is lost, doubled or torn while one waits for the other', async (t) => {
  const memory = ringMemory(4096);
  const url = new URL('../../src/trace/trace-ring.js', import.meta.url).href;
  // The consumer adds up what it sees: every byte of a frame is its sequence number.
  const worker = new Worker(
    `import { workerData, parentPort } from 'node:worker_threads';
     const { RingConsumer } = await import(${JSON.stringify(url)});
     const consumer = new RingConsumer(workerData.memory);
     const pause = new Int32Array(new SharedArrayBuffer(4));
     let next = 0, wrong = 0;
     while (next < workerData.count) {
       if (!consumer.next()) { Atomics.wait(pause, 0, 0, 0.05); continue; }
       const { sequence, bytes, start, end } = consumer;
       if (sequence !== next) wrong++;
       for (let at = start; at < end; at++) if (bytes[at] !== (sequence & 255)) wrong++;
       if (end - start !== sequence % 700) wrong++;
       consumer.release();
       next++;
     }
     parentPort.postMessage({ next, wrong });`,
    { eval: true, workerData: { memory, count: 20_000 }, execArgv: ['--input-type=module'] },
  );
  const told = new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const producer = new RingProducer(
    memory,
    () => {},
    () => true,
  );
  const payload = new Uint8Array(700);
  for (let sequence = 0; sequence < 20_000; sequence++) {
    payload.fill(sequence & 255);
    producer.put(FRAME.turn, 0, sequence, sequence, payload, sequence % 700);
  }
  t.deepEqual(await told, { next: 20_000, wrong: 0 });
  await worker.terminate();
});
