/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What a thread that has requests to answer is not on a CPU for: in which call it sleeps, and for which socket. While somebody
 * looks at a request of its process, also what it did before and after, and when it lost its CPU.
 */
#ifndef BELTRACE_OFFCPU_BPF_H
#define BELTRACE_OFFCPU_BPF_H

#include "sock.bpf.h"
#include "stack.bpf.h"

/* The socket that a thread is about to wait for, if it is one: its descriptor is the call's first argument, or the only one of a poll. */
static __always_inline void wait_target(struct thread *t, bool modern)
{
	struct pt_regs *regs;
	__s32 fd;

	t->target = 0;
	t->fd = -1;
	if (!modern)
		return;
	regs = user_regs();
	switch (syscall_nr(regs)) {
	case NR_POLL:
	case NR_PPOLL:
		if (REG_ARG2(regs) != 1 || bpf_probe_read_user(&fd, sizeof(fd), (void *)REG_ARG1(regs)))
			return;
		break;
	case NR_READ:
	case NR_WRITE:
	case NR_READV:
	case NR_WRITEV:
	case NR_RECVFROM:
	case NR_SENDTO:
	case NR_RECVMSG:
	case NR_SENDMSG:
	case NR_CONNECT:
	case NR_EPOLL_WAIT:
	case NR_EPOLL_PWAIT:
		fd = REG_ARG1(regs);
		break;
	default:
		return;
	}
	t->fd = fd;
	t->target = (__u64)sock_of_fd(fd);
}

/* Whether its next time off a CPU is to be told. Not of a whole process while there is more than can be carried. */
static __always_inline __u32 to_be_told(struct thread *t)
{
	if (stacks_on && !sample_mask && looked_at(t))
		return TOLD_WHOLLY;
	return t->asked != 0;
}

/* Tells that a thread was not on a CPU since it left one. */
static __noinline void tell_offcpu(struct thread *t, __u32 tid, __u64 now, __u64 runnable)
{
	struct sock *sk = (struct sock *)t->target;
	struct offcpu_event *e;
	bool slept = runnable > t->left;

	if (!t->left || !t->told || (!slept && t->told != TOLD_WHOLLY))
		return;
	if (!slept)
		runnable = t->left;
	e = event_stack(EVENT_OFFCPU, sizeof(*e), now, stack_of_sleep(tid, t->left));
	if (!e)
		return;
	e->e.conn = t->asked == 1 ? t->serves : 0;
	e->e.pid = t->pid;
	e->e.tid = tid;
	__builtin_memcpy(e->e.comm, t->comm, sizeof(e->e.comm));
	e->e.has = HAS_OWNER;
	e->what = 0;
	e->fd = -1;
	e->ran_ns = t->came ? t->left - t->came : 0;
	e->off_ns = runnable - t->left;
	if (slept) {
		e->what = t->slot < THREAD_WAITS ? t->what[t->slot] : 0;
		e->fd = t->fd;
	}
	if (slept && sk) {
		put_family(&e->e, sk);
		put_remote(&e->e, sk);
	}
	e->runqueue_ns = now - runnable;
	event_send(e);
}

#endif
