/** Numbers of the ports between the lab and the host. */
export const PORTS = { control: 1, stdout: 2, stderr: 3 } as const;

/** What the host says on the control port, a line each. */
export type HostMessage =
  | { readonly kind: 'up' }
  | { readonly kind: 'exit'; readonly exitCode: number };

/** Reads one line of the control port; undefined for one that is none of ours. */
export function parseHostMessage(line: string): HostMessage | undefined {
  if (line === 'up') return { kind: 'up' };
  const exit = /^exit (\d{1,3})$/.exec(line);
  return exit === null ? undefined : { kind: 'exit', exitCode: Number(exit[1]) };
}

/**
 * What runs in the emulated host as its first process. Disk a is the base (Node, libraries, the Linux guest), disk b the
 * project, disk c takes what comes back; disk d, if there is one, has the peer to compare with. The command lies in /command, in an archive of its own behind this one.
 */
export const HOST_INIT = `#!/bin/busybox sh
export PATH=/bin:/usr/bin:/project/node_modules/.bin HOME=/root TERM=dumb LANG=C.UTF-8
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -s /proc/self/fd /dev/fd
for name in stdin:0 stdout:1 stderr:2; do ln -s fd/\${name#*:} /dev/\${name%:*}; done
mkdir -p /dev/pts /dev/shm /run /root /out /project /base /peer /var/tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
for module in /modules/*.ko; do insmod $module || echo "lab: $module is not loaded"; done
ip link set lo up
hostname lab
mount -o ro,noatime /dev/vda /base
mount -o ro,noatime /dev/vdb /project
mount -o noatime,noinit_itable /dev/vdc /out
[ -b /dev/vdd ] && mount -o ro,noatime /dev/vdd /peer
# What was written must come back even if this host hangs.
echo 100 >/proc/sys/vm/dirty_writeback_centisecs
echo 100 >/proc/sys/vm/dirty_expire_centisecs
# A program that crashes leaves where and why in the kernel's log.
echo 1 >/proc/sys/debug/exception-trace 2>/dev/null
port=$(echo /dev/vport*p${PORTS.control})
port=\${port%${PORTS.control}}
exec 3>\${port}${PORTS.control}
echo up >&3
# Pipes, because a port can be opened only once and a command may open its standard output again.
mkfifo /run/stdout /run/stderr
cat /run/stdout >\${port}${PORTS.stdout} &
out=$!
cat /run/stderr >\${port}${PORTS.stderr} &
err=$!
cd /project
echo "lab: the command runs"
sh /command </dev/null >/run/stdout 2>/run/stderr 3>&-
code=$?
echo "lab: the command ended with $code"
# Whatever the command left running may hold the pipes open for ever.
( sleep 2; kill $out $err ) 2>/dev/null &
wait $out $err
cd /
umount /out || sync
echo "exit $code" >&3
poweroff -f
`;
