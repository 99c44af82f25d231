import { BYTES_PER_MIB, NS_PER_S } from '../hal/contract/units.js';
import type { VmEnd } from '../machine/vm-end.js';
import type { PolicyDecision, PolicySample } from '../policy/policy-observer.js';
import type { BalloonVmObserver } from '../programs/balloon-vm.js';
import type { Refused } from '../programs/device-jail.js';
import type { ScenarioNote } from '../programs/scenario-run.js';
import { type ChartPoint, type ChartSize, drawChart, pagesToMiB } from './chart.js';

export interface RunSummary {
  readonly end: VmEnd | undefined;
  readonly lowestAvailableMiB: number | undefined;
  readonly marginMiB: number | undefined;
  readonly lastAvailableMiB: number | undefined;
  readonly highestBalloonMiB: number;
  readonly lastBalloonMiB: number;
  readonly steps: number;
  readonly underMargin: boolean;
  readonly recovered: boolean;
  /** What the scenario's steps found out, in order. */
  readonly notes: readonly ScenarioNote[];
  /** What the device's jail refused it, explained; one that only logs tells each call once. */
  readonly refusals: readonly string[];
}

/** The last messages stand below the chart. */
const LINES = 4;

/** Shows a run while it goes on: a chart on a terminal, lines in a pipe, nothing with `--json`. */
export class RunView implements BalloonVmObserver {
  private readonly mode: 'chart' | 'lines' | 'silent';
  private readonly showsGuest: boolean;
  private readonly write: (text: string) => void;
  private readonly size: () => ChartSize;
  private readonly points: ChartPoint[] = [];
  private readonly lines: string[] = [];
  private drawn = 0;
  private startNs: number | undefined;
  private actualPages = 0;
  private highestPages = 0;
  private lowest: number | undefined;
  private last: PolicySample | undefined;
  private steps = 0;
  private underMargin = false;
  private end: VmEnd | undefined;
  private readonly notes: ScenarioNote[] = [];
  private readonly refusals: string[] = [];
  /** Who has the policy can say more of a refusal than the kernel does. */
  explainRefusal: (refused: Refused) => string | undefined = ({ number }) =>
    `the jail refused system call ${number}`;

  /**
   * @param size the terminal's, as it is now.
   * @param showsGuest whether the guest's lines are shown here; not if they have a place of their own.
   */
  constructor(
    mode: 'chart' | 'lines' | 'silent',
    write: (text: string) => void,
    size: () => ChartSize,
    showsGuest = true,
  ) {
    this.showsGuest = showsGuest;
    this.mode = mode;
    this.write = write;
    this.size = size;
  }

  guestLine(line: string): void {
    if (this.showsGuest) this.say(line);
  }

  notice(message: string): void {
    this.say(`policy: ${message}`);
  }

  refused(refused: Refused): void {
    const text = this.explainRefusal(refused);
    if (text === undefined) return;
    this.refusals.push(text);
    this.say(text);
  }

  actualChanged(pages: number): void {
    this.actualPages = pages;
    this.highestPages = Math.max(this.highestPages, pages);
  }

  decision({ timeNs, why }: PolicyDecision): void {
    if (why.rule !== 'P1.1-grow' && why.rule !== 'P1.3-shrink') return;
    this.steps++;
    const [from, to] = [why.fromBytes, why.toBytes].map((bytes) =>
      Math.floor(bytes / BYTES_PER_MIB),
    );
    const word = why.rule === 'P1.1-grow' ? 'low on memory, inflates' : 'room again, deflates';
    this.say(
      `${this.at(timeNs)}  policy: ${word} the balloon from ${from} to ${to} MiB (${why.rule})`,
    );
  }

  sample(sample: PolicySample): void {
    this.last = sample;
    const { availableMiB, marginMiB, timeNs } = sample;
    if (availableMiB === undefined || marginMiB === undefined) return;
    this.lowest = Math.min(this.lowest ?? availableMiB, availableMiB);
    if (availableMiB < marginMiB) this.underMargin = true;
    const balloonMiB = pagesToMiB(this.actualPages);
    this.points.push({ seconds: this.seconds(timeNs), availableMiB, marginMiB, balloonMiB });
    if (this.mode === 'lines') {
      this.write(
        `${this.at(timeNs)}  available ${availableMiB} MiB, margin ${marginMiB} MiB, balloon ` +
          `${balloonMiB.toFixed(0)} MiB\n`,
      );
    }
    this.redraw();
  }

  noted(note: ScenarioNote): void {
    this.notes.push(note);
    const value = typeof note.value === 'string' ? note.value : JSON.stringify(note.value);
    this.say(`${note.seconds.toFixed(1).padStart(6)} s  ${note.name}: ${value}`);
  }

  ended(end: VmEnd): void {
    this.end = end;
  }

  summary(): RunSummary {
    const available = this.last?.availableMiB;
    const margin = this.last?.marginMiB;
    return {
      end: this.end,
      lowestAvailableMiB: this.lowest,
      marginMiB: margin,
      lastAvailableMiB: available,
      highestBalloonMiB: pagesToMiB(this.highestPages),
      lastBalloonMiB: pagesToMiB(this.actualPages),
      steps: this.steps,
      underMargin: this.underMargin,
      notes: this.notes,
      refusals: this.refusals,
      recovered:
        this.underMargin && available !== undefined && margin !== undefined && available >= margin,
    };
  }

  private seconds(timeNs: number): number {
    this.startNs ??= timeNs;
    return (timeNs - this.startNs) / NS_PER_S;
  }

  private at(timeNs: number): string {
    return `${this.seconds(timeNs).toFixed(1).padStart(6)} s`;
  }

  private say(text: string): void {
    if (this.mode === 'lines') this.write(`${text}\n`);
    if (this.mode !== 'chart') return;
    this.lines.push(text);
    this.redraw();
  }

  /** In one write, each row over its predecessor: a terminal that is cleared first would flicker. */
  private redraw(): void {
    if (this.mode !== 'chart' || this.points.length === 0) return;
    const { columns, rows } = this.size();
    const lines = this.lines.slice(-LINES).map((line) => cut(line, columns - 1));
    // The cursor waits in the row below.
    const chart = drawChart(this.points, { columns, rows: rows - LINES - 1 });
    const up = this.drawn === 0 ? '' : `\u001b[${this.drawn}A\r`;
    const drawn = [...chart, ...lines];
    this.write(`${up}${drawn.map((row) => `${row}\u001b[K\n`).join('')}\u001b[J`);
    this.drawn = drawn.length;
  }
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}
