/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Where waits begin and return: the functions of epoll, poll and select, or their system calls. */
#ifndef BELTRACE_LOOPHOOKS_BPF_H
#define BELTRACE_LOOPHOOKS_BPF_H

#include "loops.bpf.h"

/* Its fourth argument is a number of ms, and since 5.11 (7cdf7c20e971) a moment: the timeout is in the registers. */
SEC("fentry/do_epoll_wait")
int BPF_PROG(epoll_fentry, int fd, void *events, int max)
{
	__s64 timeout = 0;
	__u32 knows = epoll_timeout(true, &timeout);

	return epoll_enters(fd, max, timeout, knows);
}

SEC("fentry/do_epoll_wait")
int BPF_PROG(epoll_fentry_old, int fd, void *events, int max, int timeout)
{
	return epoll_enters(fd, max, timeout, KNOWS_TIMEOUT);
}

SEC("fexit/do_epoll_wait")
int BPF_PROG(epoll_fexit, int fd, void *events, int max, void *to, int ret)
{
	return wait_returns(ret);
}

SEC("kprobe/do_epoll_wait")
int epoll_kprobe(struct pt_regs *ctx)
{
	__s64 timeout = 0;
	__u32 knows = epoll_timeout(true, &timeout);

	return epoll_enters((int)REG_ARG1(ctx), (int)REG_ARG3(ctx), timeout, knows);
}

SEC("kprobe/do_epoll_wait")
int epoll_kprobe_old(struct pt_regs *ctx)
{
	return epoll_enters((int)REG_ARG1(ctx), (int)REG_ARG3(ctx), (int)REG_ARG4(ctx), KNOWS_TIMEOUT);
}

SEC("kretprobe/do_epoll_wait")
int epoll_kretprobe(struct pt_regs *ctx)
{
	return wait_returns((int)REG_RET(ctx));
}

SEC("fentry/do_sys_poll")
int BPF_PROG(poll_fentry, void *ufds, __u32 n)
{
	return poll_enters(ufds, n);
}

SEC("fexit/do_sys_poll")
int BPF_PROG(poll_fexit, void *ufds, __u32 n, void *end, int ret)
{
	return wait_returns(ret);
}

SEC("fentry/core_sys_select")
int BPF_PROG(select_fentry, int n, void *in, void *out, void *ex)
{
	return select_enters(n, in, out, ex);
}

SEC("fexit/core_sys_select")
int BPF_PROG(select_fexit, int n, void *in, void *out, void *ex, void *end, int ret)
{
	return wait_returns(ret);
}

SEC("kprobe/do_sys_poll")
int poll_kprobe(struct pt_regs *ctx)
{
	return poll_enters((void *)REG_ARG1(ctx), (__u32)REG_ARG2(ctx));
}

SEC("kretprobe/do_sys_poll")
int poll_kretprobe(struct pt_regs *ctx)
{
	return wait_returns((int)REG_RET(ctx));
}

SEC("kprobe/core_sys_select")
int select_kprobe(struct pt_regs *ctx)
{
	return select_enters((int)REG_ARG1(ctx), (void *)REG_ARG2(ctx), (void *)REG_ARG3(ctx), (void *)REG_ARG4(ctx));
}

SEC("kretprobe/core_sys_select")
int select_kretprobe(struct pt_regs *ctx)
{
	return wait_returns((int)REG_RET(ctx));
}

/* The record of the tracepoints syscalls:sys_enter_*: as many arguments as the call has. */
struct sys_enter {
	__u64 common;
	long nr;
	__u64 arg[4];
};

SEC("tracepoint/syscalls/sys_enter_epoll_wait")
int epoll_wait_enter(struct sys_enter *ctx)
{
	return epoll_enters((int)ctx->arg[0], (int)ctx->arg[2], (int)ctx->arg[3], KNOWS_TIMEOUT);
}

SEC("tracepoint/syscalls/sys_enter_epoll_pwait")
int epoll_pwait_enter(struct sys_enter *ctx)
{
	return epoll_enters((int)ctx->arg[0], (int)ctx->arg[2], (int)ctx->arg[3], KNOWS_TIMEOUT);
}

SEC("tracepoint/syscalls/sys_enter_epoll_pwait2")
int epoll_pwait2_enter(struct sys_enter *ctx)
{
	__s64 timeout = 0;
	__u32 knows = epoll_timeout(true, &timeout);

	return epoll_enters((int)ctx->arg[0], (int)ctx->arg[2], timeout, knows);
}

SEC("tracepoint/syscalls/sys_enter_poll")
int poll_enter(struct sys_enter *ctx)
{
	return poll_enters((void *)ctx->arg[0], (__u32)ctx->arg[1]);
}

SEC("tracepoint/syscalls/sys_enter_ppoll")
int ppoll_enter(struct sys_enter *ctx)
{
	return poll_enters((void *)ctx->arg[0], (__u32)ctx->arg[1]);
}

SEC("tracepoint/syscalls/sys_enter_select")
int select_enter(struct sys_enter *ctx)
{
	return select_enters((int)ctx->arg[0], (void *)ctx->arg[1], (void *)ctx->arg[2], (void *)ctx->arg[3]);
}

SEC("tracepoint/syscalls/sys_enter_pselect6")
int pselect6_enter(struct sys_enter *ctx)
{
	return select_enters((int)ctx->arg[0], (void *)ctx->arg[1], (void *)ctx->arg[2], (void *)ctx->arg[3]);
}

SEC("tracepoint/syscalls/sys_exit_epoll_wait")
int epoll_wait_exit(struct sys_exit *ctx)
{
	return wait_returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_epoll_pwait")
int epoll_pwait_exit(struct sys_exit *ctx)
{
	return wait_returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_epoll_pwait2")
int epoll_pwait2_exit(struct sys_exit *ctx)
{
	return wait_returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_poll")
int poll_exit(struct sys_exit *ctx)
{
	return wait_returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_ppoll")
int ppoll_exit(struct sys_exit *ctx)
{
	return wait_returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_select")
int select_exit(struct sys_exit *ctx)
{
	return wait_returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_pselect6")
int pselect6_exit(struct sys_exit *ctx)
{
	return wait_returns(ctx->ret);
}

#endif
