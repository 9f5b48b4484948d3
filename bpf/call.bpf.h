/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The system call that a thread is in, from the registers with which it entered the kernel: no system call is hooked for it. */
#ifndef BELTRACE_CALL_BPF_H
#define BELTRACE_CALL_BPF_H

#include "sched.bpf.h"

#define MSG_PEEK 2

/* The verifier forgets what it knows of x: it would follow each case that led to it to the end. */
#define FORGET(x) bpf_probe_read_kernel(x, sizeof(*(x)), x)

/* The system call that the current thread is in, and where it has its bytes. */
struct user_call {
	__u64 buffer; /* the first; 0: not known */
	__u64 length; /* of the buffer */
	__u64 iov;    /* where all of them are listed; 0: there is one */
	__u64 iovs;   /* how many */
	__s32 fd;     /* -1: not known */
	__u16 nr;     /* with RING_CALL an opcode of io_uring */
	__u8 known;
	__u8 peeks; /* it moves no bytes */
};

struct user_iovec {
	__u64 base;
	__u64 len;
};

static __always_inline void buffers(__u64 iov, __u64 n, struct user_call *c)
{
	struct user_iovec v;

	if (!n || bpf_probe_read_user(&v, sizeof(v), (void *)iov))
		return;
	c->buffer = v.base;
	c->length = v.len;
	c->iov = iov;
	c->iovs = n;
}

/* The buffers of a struct msghdr. */
static __always_inline void message_buffers(__u64 msg, struct user_call *c)
{
	struct user_iovec v; /* msg_iov, msg_iovlen */

	if (!bpf_probe_read_user(&v, sizeof(v), (void *)(msg + 16)))
		buffers(v.base, v.len, c);
}

/*
 * Whether the bytes of sk were moved by the call that the thread is in. With io_uring they may be by a request: in a
 * kernel thread of its own, or at the end of a call that has nothing to do with it.
 */
static __always_inline bool call_moves(struct task_struct *task, struct sock *sk, int fd)
{
	return !has_rings(task) || sock_of_fd(fd) == sk;
}

static __noinline void look_at_request(struct user_call *c, struct sock *sk, bool out);

/* out: its bytes go to the socket. */
static __always_inline void look_at_call(struct user_call *c, struct sock *sk, bool out, bool modern)
{
	struct task_struct *task;
	struct pt_regs *regs;
	int nr;

	c->fd = -1;
	if (!modern)
		return;
	task = (struct task_struct *)bpf_get_current_task_btf();
	if (task->flags & PF_IO_WORKER) {
		c->known = 1;
		c->nr = NR_IO_URING_ENTER;
		look_at_request(c, sk, out);
		return;
	}
	regs = user_regs();
	nr = syscall_nr(regs);
	if (task->flags & PF_KTHREAD || task_is_32bit(task))
		return;
	if (nr < 0) { /* in no call: on the way back from an interrupt what is due for its rings is done */
		if (!has_rings(task))
			return;
		nr = NR_IO_URING_ENTER;
	}
	c->fd = out && nr == NR_SPLICE ? (int)REG_ARG3(regs) : (int)REG_ARG1(regs);
	if (nr != NR_IO_URING_ENTER && !call_moves(task, sk, c->fd))
		nr = NR_IO_URING_ENTER;
	c->known = 1;
	c->nr = nr;
	switch (nr) {
	case NR_IO_URING_ENTER:
		c->fd = -1; /* it would be the ring's */
		look_at_request(c, sk, out);
		break;
	case NR_READ:
	case NR_WRITE:
	case NR_RECVFROM:
	case NR_SENDTO:
		c->buffer = REG_ARG2(regs);
		c->length = REG_ARG3(regs);
		c->peeks = nr == NR_RECVFROM && REG_CALL4(regs) & MSG_PEEK;
		break;
	case NR_READV:
	case NR_WRITEV:
	case NR_PREADV2:
	case NR_PWRITEV2:
		buffers(REG_ARG2(regs), REG_ARG3(regs), c);
		break;
	case NR_RECVMSG:
	case NR_SENDMSG:
		message_buffers(REG_ARG2(regs), c);
		c->peeks = nr == NR_RECVMSG && REG_ARG3(regs) & MSG_PEEK;
		break;
	}
}

#endif
