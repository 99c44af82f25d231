import test from 'ava';
import { architectureOf } from '../../src/seccomp/architecture.js';
import {
  ARM_REGISTER_PAIRS,
  type ArmParameter,
  isPair,
} from '../../src/seccomp/tables/register-pairs.js';

const arm = architectureOf('arm');

function wordsOf(parameter: ArmParameter): number[] {
  return isPair(parameter) ? [parameter.low, parameter.high] : [parameter.word];
}

function place(syscall: string, name: string): number[] | undefined {
  const parameter = ARM_REGISTER_PAIRS.get(syscall)?.find((one) => one.name === name);
  return parameter === undefined ? undefined : wordsOf(parameter);
}

test('each entry is a syscall of arm by its preferred name', (t) => {
  for (const name of ARM_REGISTER_PAIRS.keys()) {
    const number = arm.syscalls.get(name);
    t.not(number, undefined, name);
    t.is(number === undefined ? undefined : arm.syscallNames.get(number), name);
  }
});

test('words are r0 to r5, none of them used twice, and one argument at least has two', (t) => {
  for (const [name, parameters] of ARM_REGISTER_PAIRS) {
    const words = parameters.flatMap(wordsOf);
    t.true(words.every((word) => Number.isInteger(word) && word >= 0 && word <= 5));
    t.is(new Set(words).size, words.length, name);
    t.true(parameters.some(isPair), name);
  }
});

test('pairs are aligned, but for the syscalls that name both halves', (t) => {
  const halves = new Set(['preadv', 'pwritev', 'preadv2', 'pwritev2', '_llseek']);
  for (const [name, parameters] of ARM_REGISTER_PAIRS) {
    for (const parameter of parameters.filter(isPair)) {
      t.is(
        parameter.low % 2 === 0 && parameter.high === parameter.low + 1,
        !halves.has(name),
        name,
      );
    }
  }
});

test('where the C library for arm puts the arguments', (t) => {
  t.deepEqual(place('pread64', 'pos'), [4, 5]);
  t.deepEqual(place('pwrite64', 'pos'), [4, 5]);
  t.deepEqual(place('ftruncate64', 'length'), [2, 3]);
  t.deepEqual(place('truncate64', 'length'), [2, 3]);
  t.deepEqual(place('fallocate', 'len'), [4, 5]);
  t.deepEqual(place('readahead', 'count'), [4]);
  t.deepEqual(place('arm_fadvise64_64', 'advice'), [1]);
  t.deepEqual(place('arm_fadvise64_64', 'len'), [4, 5]);
  t.deepEqual(place('arm_sync_file_range', 'flags'), [1]);
  t.deepEqual(place('fanotify_mark', 'dirfd'), [4]);
  t.deepEqual(place('preadv', 'pos'), [3, 4]);
  t.deepEqual(place('_llseek', 'offset'), [2, 1]);
});
