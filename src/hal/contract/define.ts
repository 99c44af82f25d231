import { type Codec, type Fields, quantity, type ValueOf, type ValuesOf } from './codec.js';
import type { Effect } from './effects.js';
import type { Footprint } from './footprint.js';
import { KIND, type Kind } from './packed-values.js';
import type { Bytes, GuestAddress, Nanoseconds } from './units.js';
import { tagOf, WIRE_LENGTH, WIRE_VARINT } from './wire.js';

type Returns = Codec<unknown> | Fields | undefined;
export type ResultOf<R> =
  R extends Codec<unknown>
    ? ValueOf<R>
    : R extends Fields
      ? ValuesOf<R>
      : undefined extends R
        ? void
        : never;

export interface CallOptions<A extends Fields, R extends Returns> {
  /** What comes back: one value, or named values. */
  readonly returns?: R;
  /** The system calls of the native side, checked against strace(1); without it there are none. */
  readonly syscalls?: Footprint<ValuesOf<A>>;
  /** How order matters, for `effects` matching. Without it the call is a fence: exact and in order. */
  readonly effect?: Effect<ValuesOf<A>>;
  /** The event that this call answers: it is allowed exactly once for each delivery. */
  readonly answers?: Answer<ValuesOf<A>>;
  /** This call sends bytes to whoever holds the other end of a link; replay of several lanes checks both ends. */
  readonly sends?: { readonly link: keyof A & string; readonly data: keyof A & string };
  /** This call gives a name to the end of a link that it opens. */
  readonly opens?: { readonly name: keyof A & string; readonly handles: readonly string[] };
}

export interface Answer<A> {
  readonly event: string;
  /** The field, of the event and of the call, that says which delivery is answered. */
  readonly key: string;
  /** The answer given when the handler failed, so that nobody waits for ever. */
  readonly onFailure: (event: never) => A;
}

export interface EventOptions<F extends Fields> {
  /** The handle that says whom the event is for. */
  readonly key?: keyof F & string;
  readonly receives?: { readonly link: keyof F & string; readonly data: keyof F & string };
  /** The system calls by which the native side learns of it. */
  readonly syscalls?: Footprint<ValuesOf<F>>;
}

export interface CallDefinition<A extends Fields = Fields, R extends Returns = Returns> {
  readonly kind: 'call';
  readonly args: A;
  readonly options: CallOptions<A, R>;
}

export interface EventDefinition<F extends Fields = Fields> {
  readonly kind: 'event';
  readonly fields: F;
  readonly options: EventOptions<F>;
}

/** Keeps the number of an entry that is gone, so that the later ones keep theirs. */
export interface RetiredDefinition {
  readonly kind: 'retired';
}

/**
 * What `call`, `event` and `retired` make. Only the kind is said here: with the definitions' own types, TypeScript would
 * infer `any` for the result of a call that declares none.
 */
export type Declaration = Readonly<Record<string, { readonly kind: 'call' | 'event' | 'retired' }>>;

/** The program asks, synchronously, and gets a result or a typed error. */
export function call<const A extends Fields, R extends Returns = undefined>(
  args: A,
  options: CallOptions<A, R> = {},
): CallDefinition<A, R> {
  return { kind: 'call', args, options };
}

/** The hardware speaks. */
export function event<const F extends Fields>(
  fields: F,
  options: EventOptions<F> = {},
): EventDefinition<F> {
  return { kind: 'event', fields, options };
}

export function retired(): RetiredDefinition {
  return { kind: 'retired' };
}

type Method<D> =
  D extends CallDefinition<infer A, infer R>
    ? keyof A extends never
      ? () => ResultOf<R>
      : (args: ValuesOf<A>) => ResultOf<R>
    : never;

/** The TypeScript interface of a declaration. Homomorphic, so that doc comments of the entries show in editors. */
export type Interface<D extends Declaration> = {
  readonly [K in keyof D as D[K] extends { readonly kind: 'call' } ? K : never]: Method<D[K]>;
};

export type EventsOf<D extends Declaration> = {
  readonly [K in keyof D as D[K] extends { readonly kind: 'event' }
    ? K
    : never]: D[K] extends EventDefinition<infer F> ? ValuesOf<F> : never;
};

/** One call, compiled: names, codecs and tags side by side, for loops without look-ups. */
export interface CallSpec {
  readonly kind: 'call';
  readonly contract: HalContract;
  readonly name: string;
  /** Position in the declaration; never changes as the contract grows. */
  readonly index: number;
  readonly args: readonly FieldSpec[];
  readonly results: readonly FieldSpec[];
  /** Buffers that the callee fills: they are among `args` too, there with their length. */
  readonly outs: readonly FieldSpec[];
  /** True if the result is one value and no object. */
  readonly returnsOne: boolean;
  readonly definition: CallDefinition;
}

export interface EventSpec {
  readonly kind: 'event';
  readonly contract: HalContract;
  readonly name: string;
  readonly index: number;
  readonly fields: readonly FieldSpec[];
  readonly definition: EventDefinition;
}

export interface FieldSpec {
  readonly name: string;
  /** The name in the protobuf message. */
  readonly wireName: string;
  readonly number: number;
  readonly tag: number;
  readonly codec: Codec<unknown>;
  /** The codec's properties that hot loops ask for, in one shape for all codecs. */
  readonly isOut: boolean;
  readonly isOptional: boolean;
  /** The largest value if the codec is a plain unsigned integer, to be written as one varint; else -1. */
  readonly max: number;
  /** What kind of blob or packed list it is, if its codec says so and it is not optional. */
  readonly kind: Kind;
}

/** A declared piece of hardware: the type's source and the trace's schema. */
export interface HalContract<D extends Declaration = Declaration> {
  readonly halName: string;
  readonly declaration: D;
  readonly calls: readonly CallSpec[];
  readonly events: readonly EventSpec[];
}

// biome-ignore lint/suspicious/noExplicitAny: inversify's AbstractNewable is written so, and any is not never
type Constructor<T> = abstract new (...args: any[]) => T;

/**
 * A contract is its own token for dependency injection: an abstract class, so that inversify accepts it, infers what it
 * resolves to, and names it in its errors.
 */
export type HalToken<D extends Declaration = Declaration> = HalContract<D> &
  Constructor<Interface<D>>;

/** The interface of a contract: `HalOf<typeof Mmap>`. */
export type HalOf<C> = C extends { readonly declaration: infer D extends Declaration }
  ? Interface<D>
  : never;

/** The payloads of a contract's events, by name. */
export type HalEvents<C> = C extends { readonly declaration: infer D extends Declaration }
  ? EventsOf<D>
  : never;

export const MAX_ENTRIES = 64;
/** Field number of an out buffer's content is this plus its argument's position. */
const OUT_BASE = 1024;

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A field's name in its protobuf message: coded values say so. */
export function wireNameOf(name: string, codec: Codec<unknown>): string {
  return codec.suffix === undefined ? snake(name) : `${snake(name)}_${codec.suffix}`;
}

function fieldSpec(name: string, codec: Codec<unknown>, number: number): FieldSpec {
  const wireName = wireNameOf(name, codec);
  const isOptional = codec.isOptional === true;
  return {
    name,
    wireName,
    number,
    tag: tagOf(number, codec.wireType),
    codec,
    isOut: codec.isOut === true,
    isOptional,
    max: isOptional ? -1 : (codec.max ?? -1),
    kind: isOptional ? KIND.other : (codec.kind ?? KIND.other),
  };
}

function isCodec(value: unknown): value is Codec<unknown> {
  return typeof value === 'object' && value !== null && 'wireType' in value;
}

function compileCall(
  contract: HalContract,
  name: string,
  index: number,
  definition: CallDefinition,
): CallSpec {
  const args: FieldSpec[] = [];
  const outs: FieldSpec[] = [];
  // Arguments have odd numbers and results even ones, so that both can grow.
  Object.entries(definition.args).forEach(([argName, codec], position) => {
    const number = position * 2 + 1;
    if (codec.isOut === true) {
      const content = fieldSpec(argName, codec, OUT_BASE + position);
      outs.push(content);
      const wireName = `${snake(argName)}_length`;
      args.push({ ...content, wireName, number, tag: tagOf(number, WIRE_VARINT) });
    } else {
      args.push(fieldSpec(argName, codec, number));
    }
  });
  const returns = definition.options.returns;
  const returnsOne = isCodec(returns);
  const resultFields = returns === undefined ? {} : returnsOne ? { result: returns } : returns;
  const results = Object.entries(resultFields as Fields).map(([resultName, codec], position) =>
    fieldSpec(resultName, codec, position * 2 + 2),
  );
  return {
    kind: 'call',
    contract,
    name,
    index,
    args,
    results,
    outs,
    returnsOne,
    definition,
  };
}

/** One message holds arguments, results and the error: no two may have the same name. */
function refuseTwins(contract: string, entry: string, fields: readonly FieldSpec[]): void {
  const names = new Set(['error']);
  for (const { wireName } of fields) {
    if (names.has(wireName)) {
      throw new TypeError(
        `${contract}.${entry} has two fields "${wireName}" on the wire ("error" is taken). Rename one`,
      );
    }
    names.add(wireName);
  }
}

function compileEvent(
  contract: HalContract,
  name: string,
  index: number,
  definition: EventDefinition,
): EventSpec {
  const fields = Object.entries(definition.fields).map(([fieldName, codec], position) =>
    fieldSpec(fieldName, codec, position + 1),
  );
  return { kind: 'event', contract, name, index, fields, definition };
}

/**
 * Declares a piece of hardware once. Entries are numbered in the order of declaration: add new ones at the end and
 * replace a removed one by `retired()`; old traces then stay readable.
 *
 * @param halName kebab-case; unique among the contracts of a program.
 */
export function defineHal<const D extends Declaration>(
  halName: string,
  declaration: D,
): HalToken<D> {
  const entries = Object.entries(declaration);
  if (!/^[a-z][a-z0-9-]*$/.test(halName)) {
    throw new TypeError(`a contract's name is kebab-case, got "${halName}"`);
  }
  if (entries.length > MAX_ENTRIES) {
    throw new TypeError(
      `${halName} declares ${entries.length} entries; ${MAX_ENTRIES} is the most`,
    );
  }
  abstract class Contract {}
  const token = Contract as unknown as HalContract;
  const className = halName.replace(/(^|-)([a-z0-9])/g, (_, __, letter: string) =>
    letter.toUpperCase(),
  );
  const calls: CallSpec[] = [];
  const events: EventSpec[] = [];
  entries.forEach(([name, entry], index) => {
    if (entry.kind === 'call') {
      calls.push(compileCall(token, name, index, entry as CallDefinition));
    } else if (entry.kind === 'event') {
      events.push(compileEvent(token, name, index, entry as EventDefinition));
    }
  });
  for (const { name, args, results, outs } of calls) {
    refuseTwins(halName, name, [...args, ...results, ...outs]);
  }
  Object.defineProperty(Contract, 'name', { value: className });
  Object.assign(Contract, { halName, declaration, calls, events });
  return Contract as unknown as HalToken<D>;
}

/** Tag of an entry's message within `Call` or `Event`, for a contract in the given slot of a trace. */
export function entryNumber(slot: number, index: number): number {
  return 16 + slot * MAX_ENTRIES + index;
}

export function entryTag(slot: number, index: number): number {
  return tagOf(entryNumber(slot, index), WIRE_LENGTH);
}

export const sizeInBytes: Codec<Bytes> = quantity<Bytes>('bytes');
export const guestAddress: Codec<GuestAddress> = quantity<GuestAddress>('guest address');
export const nanoseconds: Codec<Nanoseconds> = quantity<Nanoseconds>('ns');
