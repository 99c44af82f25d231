/*
 * Prints the raw program that libminijail's parser makes of the policy named on the command line, for any architecture.
 * The headers of this machine come first, with its own word size; after them the architecture is that of HALYARD_TABLES.
 */
#include <asm/bitsperlong.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/user.h>
#include <syslog.h>
#include <unistd.h>

/* The kernel's word for a load of two bytes, and the guard of minijail's header. */
#undef BPF_H
#define ARCH_H
#define MINIJAIL_ARCH_NR HALYARD_AUDIT_ARCH
#if HALYARD_WORD_BITS == 32
#define __ILP32__ 1
#endif

#include "bpf.h"
#include "libconstants.h"
#include "libsyscalls.h"
#include "syscall_filter.h"
#include "util.h"

#include HALYARD_TABLES

int main(int argc, char **argv)
{
	struct filter_options options = { .action = ACTION_RET_KILL };
	struct sock_fprog program;
	FILE *policy = argc == 2 ? fopen(argv[1], "r") : NULL;

	init_logging(LOG_TO_FD, STDERR_FILENO, LOG_WARNING);
	if (policy == NULL || compile_filter(argv[1], policy, &program, &options) != 0)
		return 1;
	return fwrite(program.filter, sizeof(program.filter[0]), program.len, stdout) == program.len ? 0 : 1;
}

#include "bpf.c"
#include "syscall_filter.c"
#include "util.c"
