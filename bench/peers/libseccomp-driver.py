"""Prints the raw program that libseccomp makes of the rules on its standard input (JSON, see libseccomp.ts)."""

import ctypes
import json
import sys


class Comparison(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


CTL_OPTIMIZE = 8
UNKNOWN = -1

lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_arch_native.restype = ctypes.c_uint32


def check(code, what):
    if code < 0:
        sys.exit(f"{what}: error {-code}")


def number_of(rule, is_native):
    """A number of this machine's, or the placeholder for a syscall that it has not; the library translates both."""
    for name in rule["names"]:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number != UNKNOWN:
            return number
    if is_native:
        return rule["number"]
    sys.exit(f"{rule['names'][0]}: this libseccomp does not know it")


def main():
    job = json.load(sys.stdin)
    native = lib.seccomp_arch_native()
    is_native = native == job["arch"]
    filter_ = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(job["default"])))
    if not is_native:
        check(lib.seccomp_arch_add(filter_, ctypes.c_uint32(job["arch"])), "arch_add")
        check(lib.seccomp_arch_remove(filter_, ctypes.c_uint32(native)), "arch_remove")
    check(
        lib.seccomp_attr_set(filter_, CTL_OPTIMIZE, ctypes.c_uint32(job["optimize"])),
        "attr_set",
    )
    for rule in job["rules"]:
        number = number_of(rule, is_native)
        name = rule["names"][0]
        if rule["priority"] > 0:
            check(
                lib.seccomp_syscall_priority(filter_, number, ctypes.c_uint8(rule["priority"])),
                name,
            )
        args = [Comparison(a, op, int(x), int(y)) for a, op, x, y in rule["args"]]
        array = (Comparison * len(args))(*args)
        check(
            lib.seccomp_rule_add_exact_array(
                filter_, ctypes.c_uint32(rule["action"]), number, len(args), array
            ),
            name,
        )
    check(lib.seccomp_export_bpf(filter_, 1), "export_bpf")


if len(sys.argv) > 1:
    lib.seccomp_version.restype = ctypes.POINTER(ctypes.c_uint * 3)
    print(".".join(str(part) for part in lib.seccomp_version().contents))
else:
    main()
