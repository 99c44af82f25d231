import { ContainerModule } from 'inversify';
import { type FixtureMode, withRecording } from '../../src/fixture/index.js';
import { Contracts, contractsProgram, type Findings } from './contracts-program.js';

// What is recorded here is thrown away: the lock of CI is for recordings that are kept.
process.env['HALYARD_MODE'] = 'record';

/** Runs the program once, on hardware or on the recording in the folder. */
export async function runContracts(folder: string, mode: FixtureMode): Promise<Findings> {
  let root: Contracts | undefined;
  const observe = new ContainerModule(({ onActivation }) => {
    onActivation(Contracts, (_context, contracts) => {
      root = contracts;
      return contracts;
    });
  });
  const options = {
    program: contractsProgram,
    config: {},
    fixtures: folder,
    mode,
    testCommand: 'npx ava test/arch/contracts-on-arm.test.ts',
    implementations: async () =>
      (await import('../../src/hal/native/index.js')).nativeImplementations(),
  };
  await withRecording('contracts', options, async (fixture) => {
    await fixture.run({ extra: [observe] });
  })();
  if (root?.findings === undefined) throw new Error('the program found nothing');
  return root.findings;
}
