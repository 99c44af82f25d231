import test from 'ava';
import { Command } from 'commander';
import { addRunOptions, runFlags } from '../../src/cli/run-options.js';

/** What the command line says of the device and its jail. */
function chosen(...args: readonly string[]) {
  const command = addRunOptions(new Command()).parse(args, { from: 'user' });
  const { config, jailPolicy } = runFlags(command.opts(), undefined);
  const { device, jail, onDeviceExit } = config;
  return { device, jail, onDeviceExit, jailPolicy };
}

const DEFAULTS = {
  device: 'process',
  jail: 'user-notify',
  onDeviceExit: 'restart',
  jailPolicy: undefined,
};

test('a device is jailed, in a process of its own, unless it is said otherwise', (t) => {
  t.deepEqual(chosen(), DEFAULTS);
  t.deepEqual(chosen('--no-jail'), { ...DEFAULTS, jail: 'off' });
  t.deepEqual(chosen('--jail', 'kill-process'), { ...DEFAULTS, jail: 'kill-process' });
  t.deepEqual(chosen('--device', 'in-process'), { ...DEFAULTS, device: 'in-process', jail: 'off' });
  t.deepEqual(chosen('--on-device-exit', 'stop', '--jail-policy', 'my.policy'), {
    ...DEFAULTS,
    onDeviceExit: 'stop',
    jailPolicy: 'my.policy',
  });
});

test('a configuration without a word of it is one of before there were jails', (t) => {
  const { device, jail } = chosen('--config', '{"ramMiB":1024}');
  t.deepEqual({ device, jail }, { device: 'in-process', jail: 'off' });
});

for (const [args, says] of [
  [['--no-jail', '--jail-policy', 'my.policy'], /--jail-policy goes with a jail/],
  [['--config', '{"jail":"user-notify"}'], /only a device in a process of its own can be jailed/],
  [['--config', '{"device":"process","jail":"on"}'], /jail must be one of off, user-notify/],
  [['--config', '{"onDeviceExit":"panic"}'], /onDeviceExit must be one of restart, stop/],
  [['--scenario', '{"steps":[{"hint":"first"}]}'], /--device in-process/],
] as const) {
  test(`refused: ${args.join(' ')}`, (t) => {
    t.regex(t.throws(() => chosen(...args))?.message ?? '', says);
  });
}
