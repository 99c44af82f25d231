import { BYTES_PER_MIB, NS_PER_S } from '../hal/contract/units.js';
import type { VmEnd } from '../machine/vm-end.js';
import type { PolicyDecision, PolicySample } from '../policy/policy-observer.js';
import type { BalloonVmObserver } from '../programs/balloon-vm.js';
import { type ChartPoint, drawChart, pagesToMiB } from './chart.js';

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
}

/** Shows a run while it goes on: a chart on a terminal, lines in a pipe, nothing with `--json`. */
export class RunView implements BalloonVmObserver {
  private readonly mode: 'chart' | 'lines' | 'silent';
  private readonly write: (text: string) => void;
  private readonly columns: number;
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

  constructor(mode: 'chart' | 'lines' | 'silent', write: (text: string) => void, columns: number) {
    this.mode = mode;
    this.write = write;
    this.columns = columns;
  }

  guestLine(line: string): void {
    this.say(line);
  }

  notice(message: string): void {
    this.say(`policy: ${message}`);
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
    this.points.push({ availableMiB, marginMiB, balloonMiB });
    if (this.mode === 'lines') {
      this.write(
        `${this.at(timeNs)}  available ${availableMiB} MiB, margin ${marginMiB} MiB, balloon ` +
          `${balloonMiB.toFixed(0)} MiB\n`,
      );
    }
    this.redraw();
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
      recovered:
        this.underMargin && available !== undefined && margin !== undefined && available >= margin,
    };
  }

  private at(timeNs: number): string {
    this.startNs ??= timeNs;
    return `${((timeNs - this.startNs) / NS_PER_S).toFixed(1).padStart(6)} s`;
  }

  private say(text: string): void {
    if (this.mode === 'lines') this.write(`${text}\n`);
    if (this.mode !== 'chart') return;
    this.lines.push(text.slice(0, this.columns - 1));
    this.redraw();
  }

  private redraw(): void {
    if (this.mode !== 'chart' || this.points.length === 0) return;
    const rows = [...drawChart(this.points, this.columns), ...this.lines.slice(-4)];
    const up = this.drawn === 0 ? '' : `\u001b[${this.drawn}A\u001b[J`;
    this.write(`${up}${rows.join('\n')}\n`);
    this.drawn = rows.length;
  }
}
