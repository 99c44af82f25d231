import { repairTrace } from '../trace/repair.js';
import { EXIT } from './failure.js';
import type { Output } from './output.js';

/** Recovers what is whole in a damaged or unfinished trace. */
export function repairCommand(input: string, target: string, output: Output): number {
  const report = repairTrace(input, target);
  for (const { position, reason } of report.damages) output.line(`  byte ${position}: ${reason}`);
  for (const { topic, turns } of report.turnsRecovered) {
    output.line(`  lane ${topic}: ${turns} turns recovered`);
  }
  output.line(`${target}: written; ${report.bytesSkipped} bytes of ${input} could not be used`);
  output.result({ input, output: target, ...report });
  return EXIT.ok;
}
