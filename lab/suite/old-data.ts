import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import { BYTES_PER_MIB, type MiB } from '../../src/hal/contract/units.js';
import type { ScenarioStep } from '../../src/programs/scenario.js';
import { atLeast, atMost, numberOf } from './figures.js';
import { run } from './steps.js';
import type { Check, RunReport } from './suite-case.js';

const SAMPLE_MIB = 16;
const SAMPLE_AT_MIB = 128;
const RAM_BASE: Readonly<Record<GuestArchitecture, string>> = { x86_64: '0', arm64: '0x80000000' };

/**
 * How many bytes of a part of the guest's RAM are 0xfe, whoever owns them: user space sees only pages that were zeroed
 * for it, but /proc/kcore has the kernel's map of all memory, free pages included. Its program headers say where that
 * part is in the file (56 bytes each: type and flags, offset, virtual and physical address, size).
 */
export function countPattern(arch: GuestArchitecture): string {
  return (
    `s=$((${RAM_BASE[arch]} + (${SAMPLE_AT_MIB} << 20))); n=$((${SAMPLE_MIB} << 20)); ` +
    'od -A n -v -t x8 -w56 -j 64 -N 1792 /proc/kcore | while read f o v p z r; do ' +
    'case $f in *00000001) ;; *) continue;; esac; p=$((0x$p)); ' +
    '[ $p -ge 0 ] && [ $p -le $s ] && [ $((p + 0x$z)) -ge $((s + n)) ] || continue; ' +
    `dd if=/proc/kcore bs=4096 skip=$(((0x$o + s - p) / 4096)) count=$((n / 4096)) 2>/dev/null | ` +
    "tr -cd '\\376' | wc -c; break; done"
  );
}

/** Translating bytes is slow here, and so is starting a program: a piece is made once and copied not too often. */
const PIECE_MIB = 8;

/** Fills so much memory with 0xfe, a multiple of 8 MiB, and keeps it. */
export function usePattern(amount: MiB): readonly ScenarioStep[] {
  const pieces = amount / PIECE_MIB;
  return [
    ...run(`dd if=/dev/zero bs=1M count=${PIECE_MIB} 2>/dev/null | tr '\\000' '\\376' >/tmp/piece`),
    ...run(
      `i=0; while [ $i -lt ${pieces} ]; do cat /tmp/piece; i=$((i + 1)); done >/tmp/pattern; rm /tmp/piece`,
    ),
  ];
}

export const DROP_PATTERN: readonly ScenarioStep[] = run('rm /tmp/pattern');

/** Leaves old data in so much free memory. */
export function fillWithPattern(amount: MiB): readonly ScenarioStep[] {
  return [...usePattern(amount), ...DROP_PATTERN];
}

/**
 * By the notes "before" and "after" of `countPattern`.
 *
 * @param remains the part of it that may be there still.
 * @throws NoteError
 */
export function oldDataIsGone(report: RunReport, after: string, remains = 0.1): readonly Check[] {
  const before = numberOf(report, 'before');
  return [
    atLeast('old data in a sample of memory', before, (SAMPLE_MIB / 2) * BYTES_PER_MIB),
    atMost(`the same after ${after}`, numberOf(report, 'after'), before * remains),
  ];
}
