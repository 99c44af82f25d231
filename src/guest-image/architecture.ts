/** Architectures that Debian has a cloud kernel for and Halyard a machine. */
export type GuestArchitecture = 'x86_64' | 'arm64';

export const GUEST_ARCHITECTURES: readonly GuestArchitecture[] = ['x86_64', 'arm64'];

/** Debian's name of an architecture. */
export const DEBIAN_NAME: Readonly<Record<GuestArchitecture, string>> = {
  x86_64: 'amd64',
  arm64: 'arm64',
};

/** This machine's architecture; x86_64 where it is none of ours. */
export function nativeArchitecture(): GuestArchitecture {
  return process.arch === 'arm64' ? 'arm64' : 'x86_64';
}
