import { spawnSync } from 'node:child_process';
import test from 'ava';
import { Command } from 'commander';
import { parseHostMessage } from '../../lab/host-init.js';
import { failedSteps, SMOKE_STEPS, type SmokeStep, smokeScript } from '../../lab/smoke-steps.js';
import { addRunOptions, runFlags } from '../../src/cli/run-options.js';
import { GUEST_ARCHITECTURES } from '../../src/guest-image/architecture.js';

const step = (name: string, command: string): SmokeStep => ({
  name,
  command,
  architectures: ['x86_64'],
});
const STEPS = [step('first', 'true'), step('the second', 'false'), step('third', 'exit 9')];

test('a step has failed unless it is known to have ended with 0', (t) => {
  t.deepEqual(failedSteps(STEPS, '0 first\n0 the second\n0 third\n'), []);
  t.deepEqual(failedSteps(STEPS, '0 first\n1 the second\n'), [
    'the second: exit code 1',
    'third: not done',
  ]);
  t.is(failedSteps(STEPS, 'noise\n').length, 3);
});

test('a step that leaves the shell does not end the others', (t) => {
  const script = smokeScript([step('leaves', 'exit 9'), step('stays', 'true')]);
  t.is(
    script,
    `echo '== leaves'\n( exit 9\n)\necho "$? leaves" >>/out/steps\n` +
      `echo '== stays'\n( true\n)\necho "$? stays" >>/out/steps`,
  );
});

test('lines of the control port that are none of ours are ignored', (t) => {
  t.deepEqual(parseHostMessage('up'), { kind: 'up' });
  t.deepEqual(parseHostMessage('exit 255'), { kind: 'exit', exitCode: 255 });
  for (const line of ['', 'up 1', 'exit', 'exit -1', 'exit 1000', 'exit 1 x']) {
    t.is(parseHostMessage(line), undefined, line);
  }
});

test('the Linux step reaches the program as flags that it takes', (t) => {
  if (process.platform === 'win32') {
    t.log('skipped: Windows has no sh');
    t.pass();
    return;
  }
  for (const arch of GUEST_ARCHITECTURES) {
    const command = SMOKE_STEPS.find(({ name }) => name === `linux on ${arch}`)?.command ?? '';
    const { stdout } = spawnSync('sh', ['-c', `halyard() { printf '%s\\0' "$@"; }; ${command}`], {
      encoding: 'utf8',
    });
    const [verb, trace, ...flags] = stdout.split('\0').slice(0, -1);
    t.is(verb, 'record');
    t.is(trace, '/out/linux.mcap');
    const { config, images } = runFlags(
      addRunOptions(new Command()).parse(flags, { from: 'user' }).opts(),
      trace,
    );
    t.like(config, { device: 'process', ramMiB: 256, policy: 'off' });
    t.true(config.scenario.steps.length > 4);
    t.is(images.initrd, '/guest/initrd');
  }
});
