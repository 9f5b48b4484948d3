/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Accepts by io_uring where no function can be hooked: the result of a completion is the descriptor, or the connection is
 * in the ring's table of registered files.
 */
#ifndef BELTRACE_RINGACCEPT_BPF_H
#define BELTRACE_RINGACCEPT_BPF_H

#include "accept.bpf.h"
#include "uring.bpf.h"

#define ECANCELED 125

#define NO_SLOT (~0ULL)

struct ring_accept {
	__u64 listener;
	__u64 slot; /* of the registered files; NO_SLOT: it gets a descriptor */
};

/* Accepts in flight, by ring and user_data: before 5.17 a completion does not name its request. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct operation_key);
	__type(value, struct ring_accept);
} ring_accepting SEC(".maps");

static __always_inline void ring_accept_failed(struct sock *listener, int ret)
{
	if (listener && is_accept_error(ret) && ret != -ECANCELED)
		accept_failed(listener, ret);
}

static __always_inline void ring_accept_done(struct sock *child, struct sock_info *info, struct sock *listener, int fd)
{
	struct accept_call call = {.ts = bpf_ktime_get_ns()};
	struct sock *parent = listening_parent(info);

	if (parent)
		listener = parent;
	call.listener = (__u64)listener;
	if (listener)
		read_accept_queue(listener, &call.accept_queue, &call.backlog);
	on_accept(child, info, &call, listener != 0, fd);
}

/* A connection that nobody has accepted. */
static __always_inline bool is_unaccepted(const struct sock_info *info)
{
	return info && info->role == ROLE_SERVER && !info->accepted;
}

/*
 * A completion. All but the last one of a multishot accept name no request: that a connection which nobody has accepted has
 * a descriptor, or is a registered file, tells them.
 */
static __always_inline int accept_completed(struct io_ring_ctx *ctx, struct io_kiocb *req, __u8 op,
					    const struct completion *c)
{
	struct sock *child, *listener = 0;
	struct sock_info *info = 0;
	bool direct;
	int fd;

	if (req && op != OP_ACCEPT)
		return 0;
	direct = req && accepts_directly(req);
	fd = direct ? -1 : c->res;
	if (req)
		listener = sock_of_file(BPF_CORE_READ(req, file));
	if (c->res < 0) {
		ring_accept_failed(listener, c->res);
		return 0;
	}
	child = direct ? 0 : accepted_sock(fd, &info);
	if (direct || (!req && !is_unaccepted(info))) {
		info = 0;
		fd = -1;
		child = accepted_file(registered_file(ctx, direct ? accepted_slot(req, c->res) : (__u32)c->res), &info);
	}
	if (!child || (!req && !is_unaccepted(info)))
		return 0;
	ring_accept_done(child, info, listener, fd);
	return 0;
}

/* 5.10. Its listener's file is there when it is submitted. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(accept_submit7, void *ring, void *request)
{
	struct io_kiocb *req = request;
	struct operation_key key = {.a = (__u64)ring};
	struct ring_accept accept = {.slot = NO_SLOT};
	struct file *file;

	if (BPF_CORE_READ(req, opcode) != OP_ACCEPT)
		return 0;
	file = BPF_CORE_READ(req, file);
	if (file)
		accept.listener = (__u64)sock_of_file(file);
	if (accepts_directly(req))
		accept.slot = accepted_slot(req, 0);
	key.b = request_user_data(req, PROBED);
	bpf_map_update_elem(&ring_accepting, &key, &accept, BPF_ANY);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(accept_complete4, void *ring, __u64 user_data, int res)
{
	struct operation_key key = {.a = (__u64)ring, .b = user_data};
	struct ring_accept *accept = bpf_map_lookup_elem(&ring_accepting, &key);
	struct sock_info *info = 0;
	struct sock *child, *from;
	__u64 slot;

	if (!accept)
		return 0;
	from = (struct sock *)accept->listener;
	slot = accept->slot;
	bpf_map_delete_elem(&ring_accepting, &key);
	if (res < 0) {
		ring_accept_failed(from, res);
		return 0;
	}
	child = accepted_file(slot == NO_SLOT ? file_of_fd(res) : registered_file(ring, slot), &info);
	if (child)
		ring_accept_done(child, info, from, slot == NO_SLOT ? res : -1);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(accept_complete7, void *ring, void *req, __u64 user_data, int res, __u32 flags)
{
	struct completion c = {.user_data = user_data, .res = res, .flags = flags};

	return accept_completed(ring, req, BPF_CORE_READ((struct io_kiocb *)req, opcode), &c);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(accept_complete3, void *ring, void *req, struct io_uring_cqe *cqe)
{
	struct completion c = {.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};
	struct io_kiocb *typed = typed_request(req);

	return accept_completed(ring, req, req ? typed->opcode : 0, &c);
}

#endif
