// Asks the kernel what it makes of seccomp programs. Reads from stdin, and answers on stdout, in the machine's order:
//   program: u32 count of instructions, u32 count of cases, the instructions, the cases
//   case:    u64 number, u64 arguments[6]
//   answer:  first u64 address behind the syscall instruction; then, for each case, i64 kind, i64 value
// Each case has a process of its own, in which one thread has the filter and another one watches it.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind {
  PENDING,
  RETURNED,       // value: what the syscall returned
  TRAPPED,        // value: si_errno
  THREAD_KILLED,
  PROCESS_KILLED,
  NOTIFIED,       // value: the number in the notification
  NOT_LOADED,     // value: errno
  LOST,           // value: wait status; nothing that a filter does
};

struct test_case {
  uint64_t number;
  uint64_t arguments[6];
};

struct result {
  volatile int64_t kind;
  volatile int64_t value;
};

struct worker {
  struct sock_fprog program;
  const struct test_case* test_case;
  volatile int tid;
  volatile int listener;
};

static struct result* shared;

long syscall_with(uint64_t number, const uint64_t* arguments);
extern const char behind_syscall[];

#if defined(__x86_64__)
__asm__(
    ".globl syscall_with\n"
    "syscall_with:\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %rcx\n"
    "  mov 0(%rcx), %rdi\n"
    "  mov 8(%rcx), %rsi\n"
    "  mov 16(%rcx), %rdx\n"
    "  mov 24(%rcx), %r10\n"
    "  mov 32(%rcx), %r8\n"
    "  mov 40(%rcx), %r9\n"
    "  syscall\n"
    ".globl behind_syscall\n"
    "behind_syscall:\n"
    "  ret\n");
#elif defined(__aarch64__)
__asm__(
    ".globl syscall_with\n"
    "syscall_with:\n"
    "  mov x8, x0\n"
    "  mov x9, x1\n"
    "  ldp x0, x1, [x9]\n"
    "  ldp x2, x3, [x9, #16]\n"
    "  ldp x4, x5, [x9, #32]\n"
    "  svc #0\n"
    ".globl behind_syscall\n"
    "behind_syscall:\n"
    "  ret\n");
#elif defined(__arm__)
__asm__(
    ".syntax unified\n"
    ".arm\n"
    ".globl syscall_with\n"
    ".type syscall_with, %function\n"
    "syscall_with:\n"
    "  push {r4, r5, r6, r7, r8, lr}\n"
    "  mov r7, r0\n"
    "  mov r8, r2\n"
    "  ldr r0, [r8]\n"
    "  ldr r1, [r8, #8]\n"
    "  ldr r2, [r8, #16]\n"
    "  ldr r3, [r8, #24]\n"
    "  ldr r4, [r8, #32]\n"
    "  ldr r5, [r8, #40]\n"
    "  svc #0\n"
    ".globl behind_syscall\n"
    "behind_syscall:\n"
    "  pop {r4, r5, r6, r7, r8, pc}\n"
#if defined(__thumb__)
    ".thumb\n"
#endif
);
#else
#error "syscall_with is written for x86_64, aarch64 and arm"
#endif

static void report(int64_t kind, int64_t value) {
  shared->value = value;
  __sync_synchronize();
  shared->kind = kind;
}

// The filter may refuse every syscall from here on, so that the process can only end by a fault.
static void end(void) { __builtin_trap(); }

static void on_sigsys(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  report(TRAPPED, info->si_errno);
  end();
}

static void* work(void* data) {
  struct worker* worker = data;
  worker->tid = (int)syscall(SYS_gettid);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                          &worker->program);
  if (listener < 0) {
    report(NOT_LOADED, errno);
    end();
  }
  worker->listener = (int)listener;
  __sync_synchronize();
  report(RETURNED, syscall_with(worker->test_case->number, worker->test_case->arguments));
  end();
  return NULL;
}

static void receive(int listener) {
  struct seccomp_notif notification;
  memset(&notification, 0, sizeof notification);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) == 0) {
    report(NOTIFIED, notification.data.nr);
  }
}

static int is_gone(const struct worker* worker) {
  return worker->tid != 0 && syscall(SYS_tgkill, getpid(), worker->tid, 0) != 0;
}

static void watch(struct sock_fprog program, const struct test_case* test_case) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, NULL);
  struct worker worker = {.program = program, .test_case = test_case, .tid = 0, .listener = -1};
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, &worker) != 0) _exit(1);
  while (shared->kind == PENDING) {
    // The listener hangs up when the last thread with the filter is gone.
    struct pollfd ready = {.fd = worker.listener, .events = POLLIN, .revents = 0};
    if (worker.listener < 0) usleep(50);
    else poll(&ready, 1, 10);
    if (ready.revents & POLLIN) receive(worker.listener);
    else if (is_gone(&worker) && shared->kind == PENDING) report(THREAD_KILLED, 0);
  }
  _exit(0);
}

static struct result verdict(struct sock_fprog program, const struct test_case* test_case) {
  shared->kind = PENDING;
  pid_t child = fork();
  if (child == 0) watch(program, test_case);
  int status = 0;
  waitpid(child, &status, 0);
  struct result result = {shared->kind, shared->value};
  if (result.kind == PENDING) {
    result.kind = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? PROCESS_KILLED : LOST;
    result.value = status;
  }
  return result;
}

static void need(void* to, size_t size, size_t count) {
  if (fread(to, size, count, stdin) != count) exit(2);
}

int main(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 3;
  // A child that hangs would hang the test.
  alarm(110);
  uint64_t address = (uint64_t)(uintptr_t)behind_syscall;
  fwrite(&address, sizeof address, 1, stdout);
  uint32_t counts[2];
  while (fread(counts, sizeof counts, 1, stdin) == 1) {
    struct sock_filter* filter = calloc(counts[0] + 1, sizeof *filter);
    struct test_case* cases = calloc(counts[1] + 1, sizeof *cases);
    if (filter == NULL || cases == NULL) return 3;
    need(filter, sizeof *filter, counts[0]);
    need(cases, sizeof *cases, counts[1]);
    struct sock_fprog program = {(unsigned short)counts[0], filter};
    for (uint32_t at = 0; at < counts[1]; at++) {
      fflush(stdout);
      struct result result = verdict(program, &cases[at]);
      int64_t answer[2] = {result.kind, result.value};
      fwrite(answer, sizeof answer, 1, stdout);
    }
    free(filter);
    free(cases);
  }
  return 0;
}
