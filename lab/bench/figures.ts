import { median } from '../../bench/measure.js';
import type { Row } from '../../bench/table.js';
import { BYTES_PER_MIB, type Bytes } from '../../src/hal/contract/units.js';
import type { HostReport, RunSample } from './samples.js';
import { VARIANTS, type Variant } from './vmm.js';

/** Medians over the rounds. */
export interface VariantFigures {
  readonly bootSeconds: number;
  /** Of the boot, by the guest's own clock. */
  readonly guestUpSeconds: number;
  /** Of all the VMM's processes, guest code not counted. */
  readonly bootCpuSeconds: number;
  readonly bootDeviceExits: number;
  readonly inflateSeconds: number;
  readonly inflateCpuSeconds: number;
  /** The part of the vCPU's thread: exits and page faults that the kernel serves. */
  readonly inflateVcpuThreadSeconds: number;
  readonly inflateGuestSeconds: number;
  readonly inflateDeviceExitsPerMiB: number;
  readonly discardCalls: number | null;
  readonly traceBytes: Bytes | null;
}

export interface LabFigures {
  readonly variants: Readonly<Partial<Record<Variant, VariantFigures>>>;
  /** Each is a median of ratios of runs of one round, which were neighbours in time. */
  readonly ratios: {
    readonly inflateWall: number;
    readonly inflateCpu: number;
    readonly bootWall: number;
    readonly recordedInflateWall: number;
    readonly recordedBootWall: number;
  };
}

type Measured = (sample: RunSample) => number;

export function labFigures({ samples, guest, discardCalls }: HostReport): LabFigures {
  const of = (variant: Variant) => samples.filter((sample) => sample.variant === variant);
  const variants: Partial<Record<Variant, VariantFigures>> = {};
  for (const variant of VARIANTS) {
    const runs = of(variant);
    if (runs.length === 0) continue;
    const middle = (pick: Measured) => median(runs.map(pick));
    variants[variant] = {
      bootSeconds: middle(({ boot }) => boot.seconds),
      guestUpSeconds: middle(({ guestUpSeconds }) => guestUpSeconds),
      bootCpuSeconds: middle(({ boot }) => boot.cpu.all.own),
      bootDeviceExits: middle(({ boot }) => boot.deviceExits),
      inflateSeconds: middle(({ inflate }) => inflate.seconds),
      inflateCpuSeconds: middle(({ inflate }) => inflate.cpu.all.own),
      inflateVcpuThreadSeconds: middle(({ inflate }) => inflate.cpu.vcpus.own),
      inflateGuestSeconds: middle(({ inflate }) => inflate.cpu.all.guest),
      inflateDeviceExitsPerMiB: middle(({ inflate }) => inflate.deviceExits / guest.balloonMiB),
      discardCalls: discardCalls[variant] ?? null,
      traceBytes: variant === 'recorded' ? middle(({ traceBytes }) => traceBytes ?? 0) : null,
    };
  }
  const ratio = (one: Variant, other: Variant, pick: Measured) => ratioOf(of(one), of(other), pick);
  return {
    variants,
    ratios: {
      inflateWall: ratio('halyard', 'qemu', ({ inflate }) => inflate.seconds),
      inflateCpu: ratio('halyard', 'qemu', ({ inflate }) => inflate.cpu.all.own),
      bootWall: ratio('halyard', 'qemu', ({ boot }) => boot.seconds),
      recordedInflateWall: ratio('recorded', 'halyard', ({ inflate }) => inflate.seconds),
      recordedBootWall: ratio('recorded', 'halyard', ({ boot }) => boot.seconds),
    },
  };
}

/** The median over the rounds of one variant's value divided by the other's in the same round. */
function ratioOf(one: readonly RunSample[], other: readonly RunSample[], pick: Measured): number {
  const rounds = Math.min(one.length, other.length);
  const quotients = Array.from({ length: rounds }, (_, round) => {
    return pick(one[round] as RunSample) / pick(other[round] as RunSample);
  });
  return median(quotients);
}

/** What is to be reached, with the figures that it comes from. */
export function goalRows({ variants, ratios }: LabFigures): readonly Row[] {
  const { qemu, halyard, recorded } = variants;
  const row = (name: string, value: number, most: number, note: string): Row => ({
    name,
    value: Number.isNaN(value) ? undefined : value,
    unit: '',
    digits: 2,
    goal: { kind: 'at most', value: most },
    note,
  });
  const versus = (one = Number.NaN, other = Number.NaN) =>
    `${one.toFixed(2)} s against ${other.toFixed(2)} s`;
  return [
    row(
      'inflation, wall time against QEMU',
      ratios.inflateWall,
      0.8,
      versus(halyard?.inflateSeconds, qemu?.inflateSeconds),
    ),
    row(
      "inflation, VMM's CPU time against QEMU",
      ratios.inflateCpu,
      0.5,
      versus(halyard?.inflateCpuSeconds, qemu?.inflateCpuSeconds),
    ),
    row(
      'boot, wall time against QEMU',
      ratios.bootWall,
      1.2,
      versus(halyard?.bootSeconds, qemu?.bootSeconds),
    ),
    row(
      'inflation, recorded against not',
      ratios.recordedInflateWall,
      1.05,
      versus(recorded?.inflateSeconds, halyard?.inflateSeconds),
    ),
    row(
      'boot, recorded against not',
      ratios.recordedBootWall,
      1.05,
      `${versus(recorded?.bootSeconds, halyard?.bootSeconds)}; trace of both ` +
        `${((recorded?.traceBytes ?? Number.NaN) / BYTES_PER_MIB).toFixed(2)} MiB`,
    ),
  ];
}

const COLUMNS: readonly (readonly [string, (figures: VariantFigures) => string])[] = [
  ['boot s', ({ bootSeconds }) => bootSeconds.toFixed(2)],
  ['guest s', ({ guestUpSeconds }) => guestUpSeconds.toFixed(2)],
  ['VMM CPU s', ({ bootCpuSeconds }) => bootCpuSeconds.toFixed(2)],
  ['exits', ({ bootDeviceExits }) => bootDeviceExits.toFixed(0)],
  ['inflate s', ({ inflateSeconds }) => inflateSeconds.toFixed(2)],
  ['VMM CPU s', ({ inflateCpuSeconds }) => inflateCpuSeconds.toFixed(2)],
  ['vCPU thread', ({ inflateVcpuThreadSeconds }) => inflateVcpuThreadSeconds.toFixed(2)],
  ['guest CPU s', ({ inflateGuestSeconds }) => inflateGuestSeconds.toFixed(2)],
  ['exits/MiB', ({ inflateDeviceExitsPerMiB }) => inflateDeviceExitsPerMiB.toFixed(1)],
  ['discard calls', ({ discardCalls }) => discardCalls?.toString() ?? '-'],
];

/** One line for each variant. */
export function variantTable({ variants }: LabFigures): string {
  const rows = [
    ['', ...COLUMNS.map(([name]) => name)],
    ...Object.entries(variants).map(([name, figures]) => [
      name,
      ...COLUMNS.map(([, show]) => show(figures)),
    ]),
  ];
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const padded = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths?.[0] ?? 0) : cell.padStart(widths?.[column] ?? 0);
  return rows.map((row) => row.map(padded).join('  ')).join('\n');
}
