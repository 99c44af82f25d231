import type { CallSpec, EventSpec } from '../contract/define.js';
import { sameValue } from './same-arguments.js';
import type { DecodedCall, Outcome, Values } from './turn-decoder.js';

const HEX_BYTES = 16;
const LIST_ITEMS = 8;

/** A value in a report: short, and exact enough to tell two apart. */
export function formatValue(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (typeof value === 'number') return value > 65535 ? `0x${value.toString(16)}` : String(value);
  if (value instanceof Uint8Array) return formatBytes(value);
  if (ArrayBuffer.isView(value)) return formatNumbers(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) {
    const shown = value.slice(0, LIST_ITEMS).map(formatValue).join(', ');
    return value.length > LIST_ITEMS ? `[${shown}, … ${value.length} in all]` : `[${shown}]`;
  }
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([name, inner]) => `${name}: ${formatValue(inner)}`);
    return `{ ${entries.join(', ')} }`;
  }
  return String(value);
}

function formatBytes(value: Uint8Array): string {
  const hex = Buffer.from(value.subarray(0, HEX_BYTES)).toString('hex');
  return value.length > HEX_BYTES ? `<${hex}… ${value.length} bytes>` : `<${hex}>`;
}

function formatNumbers(value: ArrayLike<number>): string {
  const shown = Array.from(value).slice(0, LIST_ITEMS).map(formatValue).join(' ');
  return value.length > LIST_ITEMS ? `[${shown} … ${value.length} in all]` : `[${shown}]`;
}

function formatFields(values: Values, names: readonly string[]): string {
  return names.map((name) => `${name}: ${formatValue(values[name])}`).join(', ');
}

export function formatArguments(spec: CallSpec, args: Values): string {
  const parts = spec.args.map((field) => {
    const value = args[field.name];
    if (field.codec.isOut !== true) return `${field.name}: ${formatValue(value)}`;
    return `${field.name}: buffer of ${(value as { length: number }).length}`;
  });
  return `${spec.contract.halName}.${spec.name}(${parts.join(', ')})`;
}

export function formatOutcome(outcome: Outcome): string {
  if (outcome.kind === 'error') return `error ${outcome.failure.code}: ${outcome.failure.message}`;
  const outs = Object.values(outcome.outs).map(formatValue);
  const value = outcome.value === undefined ? [] : [formatValue(outcome.value)];
  return [...value, ...outs].join(', ');
}

export function formatCall(call: DecodedCall): string {
  const outcome = formatOutcome(call.outcome);
  const text = formatArguments(call.spec, call.args);
  return outcome === '' ? text : `${text} → ${outcome}`;
}

export function formatEvent(spec: EventSpec, payload: Values): string {
  const names = spec.fields.map((field) => field.name);
  return `${spec.contract.halName}.${spec.name}(${formatFields(payload, names)})`;
}

export interface FieldDifference {
  readonly field: string;
  readonly expected: string;
  readonly actual: string;
  /** Where within a list or a run of bytes the first difference is. */
  readonly note?: string;
}

/** Which arguments differ between a recorded and an actual call of the same kind. */
export function differences(spec: CallSpec, expected: Values, actual: Values): FieldDifference[] {
  const found: FieldDifference[] = [];
  for (const field of spec.args) {
    const wanted = expected[field.name];
    const given = actual[field.name];
    if (field.codec.isOut === true) {
      const wantedLength = (wanted as { length: number }).length;
      const givenLength = (given as { length: number }).length;
      if (wantedLength !== givenLength) {
        found.push({
          field: `${field.name}.length`,
          expected: String(wantedLength),
          actual: String(givenLength),
        });
      }
    } else if (!sameValue(field.codec, wanted, given)) {
      const note = firstDifference(wanted, given);
      found.push({
        field: field.name,
        expected: formatValue(wanted),
        actual: formatValue(given),
        ...(note === undefined ? {} : { note }),
      });
    }
  }
  return found;
}

function firstDifference(wanted: unknown, given: unknown): string | undefined {
  if (!ArrayBuffer.isView(wanted) || !ArrayBuffer.isView(given)) return undefined;
  const left = wanted as unknown as ArrayLike<number>;
  const right = given as unknown as ArrayLike<number>;
  let differing = 0;
  let first = -1;
  const length = Math.max(left.length, right.length);
  for (let index = 0; index < length; index++) {
    if (left[index] === right[index]) continue;
    if (first < 0) first = index;
    differing++;
  }
  if (first < 0) return undefined;
  const unit = wanted instanceof Uint8Array ? 'byte' : 'element';
  const show = (value: number | undefined) =>
    value === undefined ? 'nothing' : formatValue(value);
  return (
    `${unit} ${first}: expected ${show(left[first])}, got ${show(right[first])}; ` +
    `${differing} of ${length} differ`
  );
}
