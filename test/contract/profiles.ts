import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { ExecutionContext, TestFn } from 'ava';
import { ContainerModule, type ServiceIdentifier } from 'inversify';
import type { Profile } from '../../src/compose.js';
import type { AnyImplementation } from '../../src/hal/bind.js';
import type { HalContract, HalEvents, HalOf } from '../../src/hal/contract/define.js';
import { TurnBuffer } from '../../src/hal/record/turn-buffer.js';
import type { Program, ProgramRoot } from '../../src/program.js';
import { Reactor } from '../../src/reactor/reactor.js';
import { replayLane, runLane } from '../../src/run.js';
import type { CaseBody, Check, Rig, Steps } from './rig.js';

/** Where the files of a case are: real ones, but for a replay. */
interface CaseFiles {
  readonly folder: string;
  readonly file: (name: string, content: Uint8Array) => string;
}

/** One case as the root of a program: its body runs in turn 0, and goes on in the turns of the events it waits for. */
class SuiteCase implements ProgramRoot, Rig {
  readonly folder: string;
  readonly file: CaseFiles['file'];
  readonly #reactor: Reactor;
  readonly #hals: ReadonlyMap<HalContract, object>;
  readonly #begin: () => void | Steps<void>;
  readonly #delivered = new Map<string, object[]>();
  #steps: Steps<void> | undefined;

  constructor(
    t: ExecutionContext,
    body: CaseBody,
    files: CaseFiles,
    reactor: Reactor,
    hals: ReadonlyMap<HalContract, object>,
  ) {
    this.folder = files.folder;
    this.file = files.file;
    this.#reactor = reactor;
    this.#hals = hals;
    this.#begin = () => body(t, this);
  }

  start(): void {
    for (const contract of this.#hals.keys()) {
      for (const { name } of contract.events) {
        const deliver = (payload: object) => this.#deliver(keyOf(contract, name), payload);
        this.#reactor.on(contract, name as never, undefined, deliver as never);
      }
    }
    this.#steps = this.#begin() ?? undefined;
    this.#goOn();
  }

  hal<C extends HalContract>(contract: C): HalOf<C> {
    const hal = this.#hals.get(contract);
    if (hal === undefined) throw new Error(`the suite has no ${contract.halName}`);
    return hal as HalOf<C>;
  }

  *nextEvent<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
  ): Steps<HalEvents<C>[E]> {
    for (;;) {
      const payload = this.#delivered.get(keyOf(contract, name))?.shift();
      if (payload !== undefined) return payload as HalEvents<C>[E];
      yield;
    }
  }

  pending(contract: HalContract, name: string): number {
    return this.#delivered.get(keyOf(contract, name))?.length ?? 0;
  }

  #deliver(key: string, payload: object): void {
    const delivered = this.#delivered.get(key) ?? [];
    delivered.push(payload);
    this.#delivered.set(key, delivered);
    this.#goOn();
  }

  #goOn(): void {
    if (this.#steps === undefined || this.#steps.next().done === true) this.#reactor.stop();
  }
}

function keyOf({ halName }: HalContract, event: string): string {
  return `${halName}.${event}`;
}

function programOf(
  t: ExecutionContext,
  body: CaseBody,
  files: CaseFiles,
  contracts: readonly HalContract[],
): Program<undefined> {
  const root: ServiceIdentifier<ProgramRoot> = Symbol('suite case');
  const tokens = contracts as readonly unknown[] as readonly ServiceIdentifier<object>[];
  const module = new ContainerModule(({ bind }) => {
    bind(root).toResolvedValue(
      (reactor: Reactor, ...hals: object[]) => {
        const byContract = new Map(contracts.map((contract, at) => [contract, hals[at] as object]));
        return new SuiteCase(t, body, files, reactor, byContract);
      },
      [Reactor, ...tokens],
    );
  });
  return {
    package: 'halyard',
    export: 'suite',
    version: 1,
    contracts,
    lanes: { main: { root, modules: () => [module] } },
    parseConfig: () => undefined,
  };
}

/** Runs a case over real hardware until its body has ended. */
async function runLive(
  t: ExecutionContext,
  body: CaseBody,
  folder: string,
  profile: Exclude<Profile, { kind: 'replaying' }>,
): Promise<void> {
  const file = (name: string, content: Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const contracts = profile.implementations.map(({ contract }) => contract);
  const program = programOf(t, body, { folder, file }, contracts);
  const { failure } = await runLane(program, 'main', undefined, profile).ended;
  if (failure !== undefined) throw failure;
}

/** Runs the same case against its recording: there is nothing else that could answer. */
function replayCase(
  t: ExecutionContext,
  body: CaseBody,
  folder: string,
  contracts: readonly HalContract[],
  recorded: TurnBuffer,
): void {
  const program = programOf(t, body, { folder, file: (name) => join(folder, name) }, contracts);
  for (const match of ['exact', 'effects'] as const) {
    const sink = new TurnBuffer();
    const end = replayLane(program, 'main', undefined, recorded.source(), { match, sink });
    t.is(end.failure, undefined);
    t.is(end.turns, recorded.turnCount);
    t.is(crcOf(sink), crcOf(recorded), `the turns that the ${match} replay made`);
  }
}

function crcOf(turns: TurnBuffer): number {
  let crc = 0;
  for (let at = 0; at < turns.turnCount; at++) crc = crc32(turns.turnBytes(at), crc);
  return crc;
}

/** Monotonic, and nothing else: no case looks at the time of its turns. */
function countingClock(): () => number {
  let timeNs = 0;
  return () => {
    timeNs += 1000;
    return timeNs;
  };
}

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Declares each case of a suite twice: on the profile `native`, and on `recording`, whose turns the same body then runs
 * against on `replaying`, in both modes of matching.
 */
export function checkProfiles(test: TestFn, implement: () => readonly AnyImplementation[]): Check {
  return (title, body) => {
    test(`${title} (native)`, (t) =>
      withFolder((folder) =>
        runLive(t, body, folder, {
          kind: 'native',
          implementations: implement(),
          clockNs: countingClock(),
        }),
      ));
    test(`${title} (recorded, then replayed)`, async (t) => {
      const sink = new TurnBuffer();
      const implementations = implement();
      const contracts = implementations.map(({ contract }) => contract);
      let gone = '';
      await withFolder((folder) => {
        gone = folder;
        const clockNs = countingClock();
        return runLive(t, body, folder, { kind: 'recording', implementations, clockNs, sink });
      });
      replayCase(t, body, gone, contracts, sink);
    });
  };
}
