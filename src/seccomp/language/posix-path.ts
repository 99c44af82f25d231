/** `path` joined to the folder of `file`, with `.` and `..` resolved, as os.path of Python does on POSIX. */
export function besideFile(file: string, path: string): string {
  const folder = file.slice(0, file.lastIndexOf('/') + 1);
  return normalise(path.startsWith('/') ? path : folder + path);
}

function normalise(path: string): string {
  // POSIX keeps two leading slashes, and no other number of them.
  const root = /^\/\/(?!\/)/u.test(path) ? '//' : path.startsWith('/') ? '/' : '';
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..' || (root === '' && (parts.length === 0 || parts.at(-1) === '..'))) {
      parts.push(part);
    } else {
      parts.pop();
    }
  }
  return root + parts.join('/') || '.';
}
