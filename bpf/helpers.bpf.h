/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The kernel's helpers, with our own structs in place of all of the kernel's (vmlinux.h). */
#ifndef BELTRACE_HELPERS_BPF_H
#define BELTRACE_HELPERS_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>

#include "kernel.h"
#include "regs.h"

#define __VMLINUX_H__ /* bpf_tracing.h: we bring struct pt_regs ourselves */
#include <bpf/bpf_tracing.h>

/* The record of the tracepoints syscalls:sys_exit_*: fixed by include/trace/events/syscalls.h. */
struct sys_exit {
	__u64 common;
	long nr;
	long ret;
};

#endif
