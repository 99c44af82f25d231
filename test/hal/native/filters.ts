import { endianness } from 'node:os';
import { architectureOf } from '../../../src/seccomp/architecture.js';

/** Instructions of classic BPF and actions of seccomp(2), by hand: a filter for tests that is not the compiler's. */
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
export const USER_NOTIFY = 0x7fc00000;
export const KILL_PROCESS = 0x80000000;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, constant: number];

/** The program of this machine that does `action` for these system calls, if it has them, and allows all others. */
export function filterFor(names: readonly string[], action: number): Uint8Array {
  const numbers = names.flatMap((name) => numberOf(name) ?? []);
  const instructions: Instruction[] = [
    [LOAD_WORD, 0, 0, 0],
    ...numbers.map((number, at): Instruction => [JUMP_IF_EQUAL, numbers.length - at, 0, number]),
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, action],
  ];
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  const little = endianness() === 'LE';
  instructions.forEach(([code, jumpTrue, jumpFalse, constant], index) => {
    view.setUint16(index * 8, code, little);
    view.setUint8(index * 8 + 2, jumpTrue);
    view.setUint8(index * 8 + 3, jumpFalse);
    view.setUint32(index * 8 + 4, constant, little);
  });
  return bytes;
}

/** A system call's number on this machine; undefined if its architecture has none of that name. */
export function numberOf(name: string): number | undefined {
  return architectureOf(process.arch).syscalls.get(name);
}
