/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Where operations of io_uring are seen. The tracepoints changed their arguments again and again: the number at a name is
 * how many there are, by which the fitting programs are chosen.
 */
#ifndef BELTRACE_URINGHOOKS_BPF_H
#define BELTRACE_URINGHOOKS_BPF_H

#include "uring.bpf.h"

/* All kernels. In io_uring_setup(), when the descriptor is there. */
SEC("tp_btf/io_uring_create")
int BPF_PROG(uring_create, int fd, void *ring)
{
	if (armed)
		ring_new((__u64)ring, (struct task_struct *)bpf_get_current_task(), fd, bpf_ktime_get_ns(), BPF_ANY);
	return 0;
}

/* 5.10 */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(uring_submit7, void *ring, void *req)
{
	return on_submit(req, false, PROBED);
}

/* 5.19 to 6.3 */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(uring_submit2, struct io_kiocb *req)
{
	return on_submit(req, true, TYPED);
}

/* 6.4: 2ad57931db64 */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit1, struct io_kiocb *req)
{
	return on_submit(req, true, TYPED);
}

/* 5.10 to 5.16 */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete4, void *ring, __u64 user_data, int res, __u32 flags)
{
	struct completion c = {.user_data = user_data, .res = res, .flags = flags};

	return on_complete(ring, 0, &c, false, PROBED);
}

/* 5.19 to 6.15 */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete7, void *ring, void *req, __u64 user_data, int res, __u32 flags)
{
	struct completion c = {.user_data = user_data, .res = res, .flags = flags};

	return on_complete(ring, (__u64)req, &c, true, PROBED);
}

/* 6.16 */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete3, struct io_ring_ctx *ring, void *req, struct io_uring_cqe *cqe)
{
	struct completion c = {.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};

	return on_complete(ring, (__u64)req, &c, true, TYPED);
}

/* 5.10 */
SEC("tp_btf/io_uring_queue_async_work")
int BPF_PROG(uring_async5, void *ring, int rw, void *req)
{
	return on_way(req, false, PROBED, HOW_IOWQ);
}

/* 5.19 */
SEC("tp_btf/io_uring_queue_async_work")
int BPF_PROG(uring_async2, struct io_kiocb *req)
{
	return on_way(req, true, TYPED, HOW_IOWQ);
}

/* 5.10 */
SEC("tp_btf/io_uring_poll_arm")
int BPF_PROG(uring_poll6, void *ring, void *req)
{
	return on_way(req, false, PROBED, HOW_POLL);
}

/* 5.19 */
SEC("tp_btf/io_uring_poll_arm")
int BPF_PROG(uring_poll3, struct io_kiocb *req)
{
	return on_way(req, true, TYPED, HOW_POLL);
}

/* A thread waits in io_uring_enter() for completions: a good moment to see how many were taken. */
SEC("tp_btf/io_uring_cqring_wait")
int BPF_PROG(uring_wait, void *ring)
{
	struct ring_work *w = work_of((__u64)ring);

	if (w)
		look_at_reaps(w, BPF_CORE_READ((struct io_ring_ctx *)ring, rings, cq.head));
	return 0;
}

/* 5.19. There is no other sign of that completion. */
SEC("tp_btf/io_uring_cqe_overflow")
int BPF_PROG(uring_overflow, void *ring, __u64 user_data, int res, __u32 flags)
{
	struct completion c = {.user_data = user_data, .res = res, .flags = flags};

	return on_overflow((__u64)ring, &c);
}

#define RING_NAME "[io_uring]"

/* A ring is a file without a type, on an inode that it shares with others: its name tells it. */
static __always_inline bool is_ring(struct file *file)
{
	char name[16] = {}, want[] = RING_NAME;
	const unsigned char *at;

	if (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT)
		return false;
	at = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	if (bpf_probe_read_kernel_str(name, sizeof(name), at) != sizeof(want))
		return false;
	for (int i = 0; i < sizeof(want); i++) {
		if (name[i] != want[i])
			return false;
	}
	return true;
}

/* Rings that were there before, in the order of their descriptors. */
SEC("iter/task_file")
int seed_rings(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (task && file && is_ring(file))
		ring_new((__u64)BPF_CORE_READ(file, private_data), task, ctx->fd, 0, BPF_NOEXIST);
	return 0;
}

#endif
