/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Every difference between kernels that a program has to know, as one small getter each. */
#ifndef BELTRACE_COMPAT_BPF_H
#define BELTRACE_COMPAT_BPF_H

#include "helpers.bpf.h"

/*
 * How a kernel pointer may be followed: with a helper call for each member, which works for every address; or directly,
 * for a tenth of the price, where the verifier knows what it points to.
 */
enum follow { PROBED, TYPED };

#define MEMBER(how, from, member) ((how) == TYPED ? (from)->member : BPF_CORE_READ(from, member))
#define MEMBER2(how, from, member, second) \
	((how) == TYPED ? (from)->member->second : BPF_CORE_READ(from, member, second))

/*
 * The subflow of an MPTCP socket (since 5.6, where it is compiled in), the socket itself else. Go's net.Listen makes
 * MPTCP listeners, whose accept queue is that of a hidden TCP socket.
 */
static __always_inline struct sock *tcp_of(struct sock *sk)
{
	if (!sk)
		return 0;
	switch (BPF_CORE_READ(sk, sk_protocol)) {
	case IPPROTO_TCP:
		return sk;
	case IPPROTO_MPTCP:
		if (bpf_core_field_exists(struct mptcp_sock, first))
			return BPF_CORE_READ((struct mptcp_sock *)sk, first);
	}
	return 0;
}

/* Whether a route of IPv6 ends on this host. Where IPv6 is a module, its types are not known: then no route does. */
#define RTF_LOCAL 0x80000000

static __always_inline bool route6_ends_here(struct dst_entry *dst)
{
	if (!bpf_core_field_exists(struct rt6_info, rt6i_flags))
		return false;
	return BPF_CORE_READ((struct rt6_info *)dst, rt6i_flags) & RTF_LOCAL;
}

/* Whether the current task comes as a typed pointer: bpf_get_current_task_btf (5.11). */
static __always_inline bool typed_task(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/*
 * The registers with which the current thread entered the kernel: bpf_task_pt_regs (5.15, dd6e10fbd9fb) with
 * bpf_get_current_task_btf (5.11). Only for programs that are not loaded on older kernels.
 */
static __always_inline struct pt_regs *user_regs(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

/* Which call the registers are of: pt_regs of arm64 goes on behind what the ABI fixes. */
struct pt_regs___syscallno {
	int syscallno;
} __attribute__((preserve_access_index));

static __always_inline int syscall_nr(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return BPF_CORE_READ((struct pt_regs___syscallno *)regs, syscallno);
#endif
}

/* task_struct.state became __state in 5.14 (2f064a59a11f). Tasks are typed pointers here and below. */
struct task_struct___state {
	long state;
} __attribute__((preserve_access_index));

static __always_inline long task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___state *)task)->state;
}

#define TASK_INTERRUPTIBLE 0x1
#define TASK_FROZEN 0x8000
#define PF_FROZEN 0x00010000

/*
 * Whether a task that sleeps was put to sleep by a freezer. That of cgroup v1 has a state since 6.1 (f5d39b020809), and had a
 * flag. That of v2 (5.2) has a bit, which a parent has, too, that waits for the child of its vfork, but not interruptibly.
 */
static __always_inline bool task_frozen(struct task_struct *task, long state)
{
	if (state & TASK_FROZEN || task->flags & PF_FROZEN)
		return true;
	if (!(state & TASK_INTERRUPTIBLE) || !bpf_core_field_exists(task->frozen))
		return false;
	return BPF_CORE_READ_BITFIELD(task, frozen);
}

/* A kernel for one CPU may have no on_cpu. */
static __always_inline bool task_on_cpu(struct task_struct *task)
{
	return bpf_core_field_exists(task->on_cpu) && task->on_cpu;
}

/* Whether a thread has used io_uring (since 5.10, where it is compiled in). */
struct task_struct___uring {
	void *io_uring;
} __attribute__((preserve_access_index));

static __always_inline bool has_rings(struct task_struct *task)
{
	struct task_struct___uring *t = (struct task_struct___uring *)task;

	return bpf_core_field_exists(t->io_uring) && t->io_uring;
}

struct thread_info___x86 {
	__u32 status;
} __attribute__((preserve_access_index));

struct thread_info___arm64 {
	unsigned long flags;
} __attribute__((preserve_access_index));

struct task_struct___x86 {
	struct thread_info___x86 thread_info;
} __attribute__((preserve_access_index));

struct task_struct___arm64 {
	struct thread_info___arm64 thread_info;
} __attribute__((preserve_access_index));

static __always_inline bool task_is_32bit(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return ((struct task_struct___x86 *)task)->thread_info.status & 0x2; /* TS_COMPAT */
#else
	return ((struct task_struct___arm64 *)task)->thread_info.flags >> 22 & 1; /* TIF_32BIT */
#endif
}

/* The same of the current task, on every kernel. */
static __always_inline bool current_is_32bit(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ((struct task_struct___x86 *)task, thread_info.status) & 0x2;
#else
	return BPF_CORE_READ((struct task_struct___arm64 *)task, thread_info.flags) >> 22 & 1;
#endif
}

/*
 * Whether a task that would run may not, because its cgroup has used up its quota. Since 6.18 (e1fad12dcb66) each task is
 * taken off its queue by itself, on its way back to user space; before that whole queues are, with all that is on them.
 */
struct task_struct___throttled {
	bool throttled;
} __attribute__((preserve_access_index));

struct cfs_rq___count {
	int throttle_count;
} __attribute__((preserve_access_index));

struct sched_entity___queue {
	struct cfs_rq___count *cfs_rq;
} __attribute__((preserve_access_index));

struct task_struct___queue {
	struct sched_entity___queue se;
} __attribute__((preserve_access_index));

static __always_inline bool task_throttled(struct task_struct *task)
{
	struct task_struct___throttled *own = (struct task_struct___throttled *)task;
	struct task_struct___queue *queued = (struct task_struct___queue *)task;

	if (bpf_core_field_exists(own->throttled))
		return own->throttled;
	if (!bpf_core_field_exists(queued->se.cfs_rq) || !bpf_core_field_exists(struct cfs_rq___count, throttle_count))
		return false; /* no quotas in this kernel */
	return queued->se.cfs_rq->throttle_count > 0;
}

#define SYSCALL_UNKNOWN 0xffffffff
#define MAX_SYSCALL 0xfffe
#define SYSCALL_NONE 0xffff

/*
 * Before bpf_task_pt_regs (5.15) a task's user registers are looked for at the top of its kernel stack: THREAD_SIZE is 16 KiB
 * on both architectures (without KASAN, and on arm64 with pages of 4 or 16 KiB).
 */
static __always_inline struct pt_regs *old_task_regs(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return (struct pt_regs *)(task->stack + 16384) - 1;
#else
	return task->stack + 16384 - bpf_core_type_size(struct pt_regs___syscallno);
#endif
}

/* The system call that a user thread which is not on a CPU, or is about to leave it, is in. */
static __always_inline __u32 task_syscall(struct task_struct *task, bool modern)
{
	struct pt_regs *regs;
	int nr = -1;

	if (task_is_32bit(task))
		return SYSCALL_UNKNOWN; /* they count their calls otherwise */
	if (modern) {
		nr = syscall_nr((struct pt_regs *)bpf_task_pt_regs(task));
	} else {
		regs = old_task_regs(task);
#if defined(__TARGET_ARCH_x86)
		if (bpf_probe_read_kernel(&nr, sizeof(nr), &regs->orig_ax))
			return SYSCALL_UNKNOWN;
#else
		if (bpf_probe_read_kernel(&nr, sizeof(nr), &((struct pt_regs___syscallno *)regs)->syscallno))
			return SYSCALL_UNKNOWN;
#endif
	}
	return nr < 0 || nr > MAX_SYSCALL ? SYSCALL_NONE : nr;
}

/* The first two arguments of that call. False: they cannot be read. */
static __always_inline bool task_arguments(struct task_struct *task, bool modern, __u64 *first, __u64 *second)
{
	struct pt_regs *regs, copy;

	if (modern) {
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		*first = REG_ARG1(regs);
		*second = REG_ARG2(regs);
		return true;
	}
	if (bpf_probe_read_kernel(&copy, sizeof(copy), old_task_regs(task)))
		return false;
	*first = REG_ARG1(&copy);
	*second = REG_ARG2(&copy);
	return true;
}

/* The first argument of that call, at its end too: on arm64 the return value has taken the register's place by then. */
struct pt_regs___orig_x0 {
	__u64 orig_x0;
} __attribute__((preserve_access_index));

static __always_inline __u64 call_arg1(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->di;
#else
	return BPF_CORE_READ((struct pt_regs___orig_x0 *)regs, orig_x0);
#endif
}

static __always_inline int call_fd(struct pt_regs *regs)
{
	return (int)call_arg1(regs);
}

#define ENOSYS 38

/*
 * All arguments of the call in which a task is about to sleep. False if it has left it, and sleeps on its way back to user
 * space: until a call returns, the register of its value holds -ENOSYS (arm64: still its first argument).
 */
struct call_args {
	__u64 arg[4];
};

static __always_inline bool call_arguments(struct task_struct *task, bool modern, struct call_args *a)
{
	struct pt_regs *regs, copy;
	bool inside;

	regs = modern ? (struct pt_regs *)bpf_task_pt_regs(task) : old_task_regs(task);
	if (bpf_probe_read_kernel(&copy, sizeof(copy), regs))
		return false;
	a->arg[0] = REG_ARG1(&copy);
	a->arg[1] = REG_ARG2(&copy);
	a->arg[2] = REG_ARG3(&copy);
	a->arg[3] = REG_CALL4(&copy);
#if defined(__TARGET_ARCH_x86)
	inside = REG_RET(&copy) == (unsigned long)-ENOSYS;
#else
	inside = REG_RET(&copy) == BPF_CORE_READ((struct pt_regs___orig_x0 *)regs, orig_x0);
#endif
	return inside;
}

/* 6.2 (a35b9af4ec2c): what is at an address without a type is read as directly as if it had one. */
extern void *bpf_rdonly_cast(const void *at, __u32 type) __ksym;

static __always_inline struct io_kiocb *typed_request(void *req)
{
	return bpf_rdonly_cast(req, bpf_core_type_id_kernel(struct io_kiocb));
}

/* An operation's flags: the low eight are those of its submission (IOSQE_*). */
static __always_inline __u32 request_flags(struct io_kiocb *req, enum follow how)
{
	return MEMBER(how, req, flags);
}

/* user_data moved into io_kiocb.cqe in 5.19 (cef216fc32d7). */
struct io_kiocb___user_data {
	__u64 user_data;
} __attribute__((preserve_access_index));

static __always_inline __u64 request_user_data(struct io_kiocb *req, enum follow how)
{
	if (bpf_core_field_exists(req->cqe))
		return MEMBER(how, req, cqe.user_data);
	return BPF_CORE_READ((struct io_kiocb___user_data *)req, user_data);
}

/* Whether an operation keeps the descriptor, or the registered number, of its file: in cqe.fd, since 5.19 (cef216fc32d7). */
static __always_inline bool keeps_fd(struct io_kiocb *req)
{
	return bpf_core_field_exists(req->cqe);
}

/* The flags of a receive of its own: since 5.19 it may have some. */
static __always_inline __u32 receive_flags(struct io_kiocb *req)
{
	if (!bpf_core_field_exists(struct io_sr_msg, flags))
		return 0;
	return BPF_CORE_READ((struct io_sr_msg *)req, flags);
}

#define SQE_BUFFER_SELECT 32

/*
 * The buffer of a receive: its own, or the one that the kernel chose. Since 6.10 that one stands in the request's
 * message alone (of a kind that there is since 6.0); before, a receive has no message.
 */
static __always_inline __u64 buffer_of(struct io_kiocb *req)
{
	struct io_async_msghdr *msg = 0;

	if (BPF_CORE_READ(req, flags) & SQE_BUFFER_SELECT && bpf_core_enum_value_exists(enum iter_type, ITER_UBUF))
		msg = BPF_CORE_READ(req, async_data);
	if (!msg)
		return (__u64)BPF_CORE_READ((struct io_sr_msg *)req, buf);
	if (BPF_CORE_READ(msg, msg.msg_iter.iter_type) != bpf_core_enum_value(enum iter_type, ITER_UBUF))
		return 0;
	return (__u64)BPF_CORE_READ(msg, msg.msg_iter.ubuf);
}

/* Whether an accept is into a registered file (since 5.15). What an operation needs stands at the beginning of its request. */
static __always_inline bool accepts_directly(struct io_kiocb *req)
{
	if (!bpf_core_field_exists(struct io_accept, file_slot))
		return false;
	return BPF_CORE_READ((struct io_accept *)req, file_slot) != 0;
}

#define FILE_SLOT_ANY 0xffffffff /* IORING_FILE_INDEX_ALLOC: the result says which */

/* In which one a direct accept with that result is. */
static __always_inline __u32 accepted_slot(struct io_kiocb *req, int res)
{
	__u32 slot = BPF_CORE_READ((struct io_accept *)req, file_slot);

	return slot == FILE_SLOT_ANY ? (__u32)res : slot - 1;
}

/* A registered file of a ring: in nodes since 6.13 (3597f2786b68). The low bits of the pointer are flags. */
static __always_inline struct file *registered_file(struct io_ring_ctx *ctx, __u32 slot)
{
	struct io_rsrc_node *node = 0;
	unsigned long file = 0;

	if (bpf_core_field_exists(ctx->file_table.data)) {
		if (slot >= BPF_CORE_READ(ctx, file_table.data.nr))
			return 0;
		bpf_probe_read_kernel(&node, sizeof(node), BPF_CORE_READ(ctx, file_table.data.nodes) + slot);
		if (node)
			file = BPF_CORE_READ(node, file_ptr);
	} else if (bpf_core_field_exists(ctx->file_table.files)) {
		if (slot >= BPF_CORE_READ(ctx, nr_user_files))
			return 0;
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(ctx, file_table.files) + slot);
	}
	return (struct file *)(file & ~7UL);
}

#endif
