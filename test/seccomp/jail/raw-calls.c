// What JavaScript cannot say: system calls as an attacker with machine code would make them. Preloaded by the attack test,
// it takes the place of getpriority(), which os.getPriority(WHO) calls: WHO chooses, and errno is the answer.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// Asked for in time: in the jail nobody tells.
static pid_t parent;
__attribute__((constructor)) static void FindParent(void) { parent = getppid(); }

static long Attack(int which) {
  static char program[] = "/bin/true";
  static char* const arguments[] = {program, 0};
  static char code[4096] __attribute__((aligned(4096)));
  static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
  switch (which) {
    case 1: return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
    case 2: return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    case 3: return syscall(SYS_connect, 3, &address, sizeof(address));
    case 4: return syscall(SYS_execve, program, arguments, 0);
    case 5: return mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
    case 6: return mprotect(code, sizeof(code), PROT_READ | PROT_WRITE | PROT_EXEC);
    case 7: return syscall(SYS_ptrace, PTRACE_ATTACH, parent, 0, 0);
    case 8: return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    case 9: return syscall(SYS_kill, parent, SIGTERM);
    case 10: return syscall(SYS_tgkill, parent, parent, SIGABRT);
    case 11: return fcntl(3, F_SETOWN, parent);
    case 12: return syscall(SYS_process_vm_writev, parent, 0, 0, 0, 0, 0);
    case 13: return syscall(SYS_seccomp, 0, 0, 0);
    default: errno = EINVAL; return -1;
  }
}

int getpriority(__priority_which_t kind, id_t who) {
  (void)kind;
  errno = 0;
  // A success would be one of the attacker's: say what nothing else says.
  if (Attack((int)who) != -1) errno = EALREADY;
  return -1;
}
