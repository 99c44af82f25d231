import { Entropy } from '../../src/hal/entropy.js';
import { NO_WHOLE_NUMBERS, never, refused, type Suite } from './rig.js';

export const entropySuite: Suite = (check) => {
  check('entropy: uniform stays below its bound and reaches every value', (t, rig) => {
    const entropy = rig.hal(Entropy);
    t.is(entropy.uniform({ below: 1 }), 0);
    const seen = new Set<number>();
    // The chance that one of six never comes in 2000 draws is below 2^-500.
    for (let draw = 0; draw < 2000; draw++) seen.add(entropy.uniform({ below: 6 }));
    t.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5]);
    t.true(entropy.uniform({ below: 2 ** 32 - 1 }) < 2 ** 32 - 1);
  });

  check('entropy: fill fills all of the buffer and nothing beside it', (t, rig) => {
    const whole = new Uint8Array(1026);
    const entropy = rig.hal(Entropy);
    entropy.fill({ into: whole.subarray(1, 1025) });
    t.is(whole[0], 0);
    t.is(whole[1025], 0);
    for (let part = 1; part < 1025; part += 128) {
      t.true(whole.subarray(part, part + 128).some((byte) => byte !== 0));
    }
    entropy.fill({ into: new Uint8Array(0) });
  });

  check('entropy: refusals', (t, rig) => {
    const entropy = rig.hal(Entropy);
    refused(t, 'INVALID_ARGUMENT', () => entropy.uniform({ below: 0 }));
    refused(t, 'INVALID_ARGUMENT', () => entropy.uniform({ below: 2 ** 32 }));
    for (const value of NO_WHOLE_NUMBERS) {
      refused(t, 'INVALID_ARGUMENT', () => entropy.uniform({ below: never(value) }));
      refused(t, 'INVALID_ARGUMENT', () => entropy.fill({ into: never(value) }));
    }
  });
};
