import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Program } from '../program.js';
import { balloonVm } from '../programs/balloon-vm.js';
import type { ProgramIdentity } from '../trace/recording.js';
import { UsageError } from './failure.js';

/** A program whose configuration type is its own matter. */
export type AnyProgram = Program<unknown>;

const OWN: readonly AnyProgram[] = [balloonVm as AnyProgram];

/**
 * Finds the program that a trace was made by.
 *
 * @param modulePath `--program`: a module that exports it under its recorded name.
 * @throws UsageError
 */
export async function findProgram(
  identity: ProgramIdentity,
  modulePath: string | undefined,
): Promise<AnyProgram> {
  const found =
    modulePath === undefined ? ownProgram(identity) : await fromModule(identity, modulePath);
  if (found.version !== identity.version) {
    throw new UsageError(
      `the trace was recorded by version ${identity.version} of ${identity.export}, this is version ` +
        `${found.version}: its configuration means something else now. Record it again`,
    );
  }
  return found;
}

function ownProgram(identity: ProgramIdentity): AnyProgram {
  const own = OWN.find(
    (program) => program.package === identity.package && program.export === identity.export,
  );
  if (own !== undefined) return own;
  throw new UsageError(
    `the trace is of the program "${identity.export}" of ${identity.package}; say where it is with --program MODULE`,
  );
}

async function fromModule(identity: ProgramIdentity, modulePath: string): Promise<AnyProgram> {
  let loaded: Record<string, unknown>;
  try {
    loaded = (await import(pathToFileURL(resolve(modulePath)).href)) as Record<string, unknown>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--program ${modulePath} cannot be loaded: ${reason}`);
  }
  const program = loaded[identity.export];
  if (typeof program === 'object' && program !== null && 'lanes' in program) {
    return program as AnyProgram;
  }
  throw new UsageError(`--program ${modulePath} exports no program "${identity.export}"`);
}
