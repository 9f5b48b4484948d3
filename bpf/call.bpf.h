/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The system call that a thread is in, from the registers with which it entered the kernel: no system call is hooked for it. */
#ifndef BELTRACE_CALL_BPF_H
#define BELTRACE_CALL_BPF_H

/* The system call that the current thread is in, and where it has its bytes. */
struct user_call {
	__u64 buffer; /* 0: not known */
	__u64 length; /* of the buffer */
	__s32 fd;
	__u16 nr;
	__u16 known;
};

struct user_iovec {
	__u64 base;
	__u64 len;
};

static __always_inline void first_buffer(__u64 iov, struct user_call *c)
{
	struct user_iovec v;

	if (bpf_probe_read_user(&v, sizeof(v), (void *)iov))
		return;
	c->buffer = v.base;
	c->length = v.len;
}

static __always_inline void look_at_call(struct user_call *c, bool modern)
{
	struct pt_regs *regs;
	__u64 iov;
	int nr;

	if (!modern)
		return;
	regs = user_regs();
	nr = syscall_nr(regs);
	if (nr < 0)
		return;
	c->known = 1;
	c->nr = nr;
	c->fd = (int)REG_ARG1(regs);
	switch (nr) {
	case NR_READ:
	case NR_WRITE:
	case NR_RECVFROM:
	case NR_SENDTO:
		c->buffer = REG_ARG2(regs);
		c->length = REG_ARG3(regs);
		break;
	case NR_READV:
	case NR_WRITEV:
		first_buffer(REG_ARG2(regs), c);
		break;
	case NR_RECVMSG:
	case NR_SENDMSG:
		if (!bpf_probe_read_user(&iov, sizeof(iov), (void *)(REG_ARG2(regs) + 16))) /* msg_iov */
			first_buffer(iov, c);
		break;
	}
}

#endif
