/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Accepts by io_uring where no function can be hooked: the result of a completion is the descriptor. */
#ifndef BELTRACE_RINGACCEPT_BPF_H
#define BELTRACE_RINGACCEPT_BPF_H

#define ECANCELED 125

/* Accepts in flight, by ring and user_data, with their listener: before 5.17 a completion does not name its request. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct operation_key);
	__type(value, __u64);
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

/*
 * A completion. All but the last one of a multishot accept name no request: that a connection which nobody has accepted has
 * a descriptor tells them.
 */
static __always_inline int accept_completed(struct io_kiocb *req, const struct completion *c)
{
	struct sock *child, *listener = 0;
	struct sock_info *info = 0;

	if (req && BPF_CORE_READ(req, opcode) != OP_ACCEPT)
		return 0;
	if (req)
		listener = sock_of_file(BPF_CORE_READ(req, file));
	if (c->res < 0) {
		ring_accept_failed(listener, c->res);
		return 0;
	}
	if (req && accepts_directly(req))
		return 0;
	child = accepted_sock(c->res, &info);
	if (!child || (!req && (!info || info->role != ROLE_SERVER || info->accepted)))
		return 0;
	ring_accept_done(child, info, listener, c->res);
	return 0;
}

/* 5.10. Its listener's file is there when it is submitted. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(accept_submit7, void *ring, void *request)
{
	struct io_kiocb *req = request;
	struct operation_key key = {.a = (__u64)ring};
	struct file *file;
	__u64 listener;

	if (BPF_CORE_READ(req, opcode) != OP_ACCEPT)
		return 0;
	file = BPF_CORE_READ(req, file);
	listener = file ? (__u64)sock_of_file(file) : 0;
	key.b = request_user_data(req, PROBED);
	bpf_map_update_elem(&ring_accepting, &key, &listener, BPF_ANY);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(accept_complete4, void *ring, __u64 user_data, int res)
{
	struct operation_key key = {.a = (__u64)ring, .b = user_data};
	__u64 *listener = bpf_map_lookup_elem(&ring_accepting, &key);
	struct sock_info *info = 0;
	struct sock *child, *from;

	if (!listener)
		return 0;
	from = (struct sock *)*listener;
	bpf_map_delete_elem(&ring_accepting, &key);
	if (res < 0) {
		ring_accept_failed(from, res);
		return 0;
	}
	child = accepted_sock(res, &info);
	if (child)
		ring_accept_done(child, info, from, res);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(accept_complete7, void *ring, void *req, __u64 user_data, int res, __u32 flags)
{
	struct completion c = {.user_data = user_data, .res = res, .flags = flags};

	return accept_completed(req, &c);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(accept_complete3, void *ring, void *req, struct io_uring_cqe *cqe)
{
	struct completion c = {.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};

	return accept_completed(req, &c);
}

#endif
