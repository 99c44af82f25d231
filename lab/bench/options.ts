import { parseArgs } from 'node:util';

const DEFAULT_ROUNDS = 5;

export interface BenchOptions {
  readonly rounds: number;
  readonly json: boolean;
}

/** @returns what is wrong with the arguments as text. */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        rounds: { type: 'string', default: String(DEFAULT_ROUNDS) },
        json: { type: 'boolean', default: false },
      },
    });
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1) return '--rounds expects a whole number from 1';
    return { rounds, json: values.json };
  } catch (error) {
    return (error as Error).message;
  }
}
