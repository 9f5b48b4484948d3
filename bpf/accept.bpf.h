/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The way into and out of the accept queue. */
#ifndef BELTRACE_ACCEPT_BPF_H
#define BELTRACE_ACCEPT_BPF_H

#include "refuse.bpf.h"
#include "conn.bpf.h"
#include "accept_error.bpf.h"
#include "pace.bpf.h"

/* A SYN made a request_sock: it is in the SYN queue now. */
static __always_inline int on_request(struct sock *listener, struct request_sock *req)
{
	__u64 key = (__u64)req, now = bpf_ktime_get_ns();
	struct sock_info *info = info_of(listener);
	struct queue_event *e;

	syn_answered();
	if (!info)
		return 0;
	bpf_map_update_elem(&requests, &key, &now, BPF_ANY);
	if (!emit_syn || !info->watched)
		return 0;
	e = event_at(EVENT_SYN, sizeof(*e), now);
	if (!e)
		return 0;
	e->e.role = ROLE_SERVER;
	put_owner(&e->e, info);
	put_local(&e->e, listener);
	put_remote(&e->e, (struct sock *)req); /* both begin with a sock_common */
	put_listener(&e->e, listener);
	put_queues(e, listener);
	event_send(e);
	return 0;
}

/*
 * The child is about to enter the accept queue. Two functions tell it, and on some builds both do. With TCP Fast Open
 * accept() may return before the child is established, so it gets its cookie here where a helper can make one (modern).
 */
static __always_inline int on_queued(struct sock *listener, struct sock *child, struct request_sock *req, bool modern)
{
	__u64 key = (__u64)req, *syn;
	struct sock_info *info = info_of(child);

	syn_answered(); /* with TCP Fast Open the SYN itself comes here */
	if (!info || info->listener_sk)
		return 0;
	info->listener_sk = (__u64)listener;
	info->place.at.queued = bpf_ktime_get_ns();
	info->by_function = 1;
	if (modern)
		info->id = bpf_get_socket_cookie(child);
	syn = bpf_map_lookup_elem(&requests, &key);
	if (syn) {
		info->start = *syn;
		bpf_map_delete_elem(&requests, &key);
	}
	return 0;
}

/* What accept() took. listener: 0 when the hook does not see it. queues: accept_queue and backlog are known. */
static __always_inline void on_accept(struct sock *child, struct sock_info *info, const struct accept_call *call,
				      bool queues, int fd)
{
	__u64 came = info ? info->place.at.queued : bpf_ktime_get_ns(); /* 0: before we did */
	struct accept_event *e;

	if (!armed)
		return;
	if (!info) {
		if (!place_wanted(child, local_port(child), remote_port(child)))
			return;
		info = info_new(child, 0);
		if (!info)
			return;
		info->id = BPF_CORE_READ(child, __sk_common.skc_cookie.counter);
		if (!info->id)
			info->id = own_id(OWN_CALL);
		info->role = ROLE_SERVER;
	}
	if (info->accepted)
		return;
	if (!take_child(child, info))
		return;
	thread_accepts(came);
	if (call->listener)
		info->listener_sk = call->listener;
	e = event_at(EVENT_ACCEPT, sizeof(*e), call->ts);
	if (!e)
		return;
	e->e.conn = info->id;
	e->e.role = ROLE_SERVER;
	put_owner(&e->e, info);
	/*
	 * Else whoever reads this has them from the event before it. There need not be one before it: an acceptor on another
	 * CPU may take the child while it is not yet established.
	 */
	if (!info->told || info->place.at.established >= call->ts) {
		put_local(&e->e, child);
		put_remote(&e->e, child);
	}
	put_listener(&e->e, (struct sock *)info->listener_sk);
	if (!info->watched)
		e->e.has |= HAS_ELSEWHERE;
	if (info->place.at.queued) {
		e->wait_ns = call->ts > info->place.at.queued ? call->ts - info->place.at.queued : 0;
		e->e.has |= HAS_WAIT;
	}
	if (fd >= 0) {
		e->fd = fd;
		e->e.has |= HAS_FD;
	}
	if (queues) {
		e->accept_queue = call->accept_queue;
		e->backlog = call->backlog;
		e->e.has |= HAS_QUEUES;
	}
	event_send(e);
}

static __always_inline int accept_enter(int listen_fd)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct accept_call call = {.listen_fd = listen_fd};

	bpf_map_update_elem(&accepts, &id, &call, BPF_ANY);
	return 0;
}

/* inet_csk_accept() returns: system calls go on to their own end for the fd, io_uring and others end here. */
static __always_inline int accept_taken(struct sock *listener, struct sock *child)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct accept_call *call = bpf_map_lookup_elem(&accepts, &id);
	struct accept_call taken = {};

	if (!child)
		return 0;
	taken.child = (__u64)child;
	taken.listener = (__u64)listener;
	taken.ts = bpf_ktime_get_ns();
	read_accept_queue(listener, &taken.accept_queue, &taken.backlog);
	if (call)
		taken.listen_fd = call->listen_fd;
	if (call)
		*call = taken;
	else
		on_accept(child, info_of(child), &taken, true, -1);
	return 0;
}

static __always_inline int accept_exit(int fd)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)id;
	struct accept_call *call = bpf_map_lookup_elem(&accepts, &id);

	if (!call)
		return 0;
	if (is_accept_error(fd))
		on_accept_error(call->listen_fd, fd);
	else if (fd == -EAGAIN)
		on_accept_empty(call->listen_fd);
	else if (call->child)
		on_accept((struct sock *)call->child, info_of((void *)call->child), call, true, fd);
	bpf_map_delete_elem(&accepts, &id);
	bpf_map_delete_elem(&blocked_acceptors, &tid);
	return 0;
}

/* accept() returned fd to user space: the socket behind it is the child. regs: 0 where they cannot be read. */
static __always_inline int accept_returned(int fd, struct pt_regs *regs)
{
	struct accept_call call = {.ts = bpf_ktime_get_ns()};
	struct sock *child, *listener = 0;
	struct sock_info *info = 0;

	if (fd < 0) {
		if (regs && is_accept_error(fd))
			on_accept_error(call_fd(regs), fd);
		else if (regs && fd == -EAGAIN)
			on_accept_empty(call_fd(regs));
		return 0;
	}
	child = accepted_sock(fd, &info);
	if (!child)
		return 0;
	if (regs) {
		listener = listening_parent(info);
		if (!listener)
			listener = sock_of_fd(call_fd(regs));
	}
	if (listener) {
		call.listener = (__u64)listener;
		read_accept_queue(listener, &call.accept_queue, &call.backlog);
	}
	on_accept(child, info, &call, listener != 0, fd);
	return 0;
}

SEC("fentry/inet_csk_reqsk_queue_hash_add")
int BPF_PROG(request_fentry, struct sock *listener, struct request_sock *req)
{
	return on_request(listener, req);
}

SEC("kprobe/inet_csk_reqsk_queue_hash_add")
int request_kprobe(struct pt_regs *ctx)
{
	return on_request((struct sock *)REG_ARG1(ctx), (struct request_sock *)REG_ARG2(ctx));
}

/*
 * The entry, not the exit: an acceptor on another CPU may have the child before the function returns. A child that the
 * full queue refuses here never becomes established.
 */
SEC("fentry/inet_csk_complete_hashdance")
int BPF_PROG(queued_fentry, struct sock *listener, struct sock *child, struct request_sock *req)
{
	return on_queued(listener, child, req, true);
}

SEC("fentry/inet_csk_complete_hashdance")
int BPF_PROG(queued_fentry_old, struct sock *listener, struct sock *child, struct request_sock *req)
{
	return on_queued(listener, child, req, false);
}

/* The way of SYN cookies and TCP Fast Open; and, where it is not inlined, called by the function above. */
SEC("fentry/inet_csk_reqsk_queue_add")
int BPF_PROG(queue_add_fentry, struct sock *listener, struct request_sock *req, struct sock *child)
{
	return on_queued(listener, child, req, true);
}

SEC("fentry/inet_csk_reqsk_queue_add")
int BPF_PROG(queue_add_fentry_old, struct sock *listener, struct request_sock *req, struct sock *child)
{
	return on_queued(listener, child, req, false);
}

SEC("kprobe/inet_csk_complete_hashdance")
int queued_kprobe(struct pt_regs *ctx)
{
	return on_queued((struct sock *)REG_ARG1(ctx), (struct sock *)REG_ARG2(ctx),
			 (struct request_sock *)REG_ARG3(ctx), false);
}

SEC("kprobe/inet_csk_reqsk_queue_add")
int queue_add_kprobe(struct pt_regs *ctx)
{
	return on_queued((struct sock *)REG_ARG1(ctx), (struct sock *)REG_ARG3(ctx),
			 (struct request_sock *)REG_ARG2(ctx), false);
}

SEC("fentry/__sys_accept4")
int BPF_PROG(accept_fentry, int listen_fd)
{
	return accept_enter(listen_fd);
}

/* (fd, address, length, flags) and the new fd: the same on 5.10 to 7.3. */
SEC("fexit/__sys_accept4")
int BPF_PROG(accept_fexit, int listen_fd, void *address, void *length, int flags, int fd)
{
	return accept_exit(fd);
}

/* The number of arguments changed in 6.10 (92ef0fd55ac8): the return value comes from the helper (5.17, f92c1e183604). */
SEC("fexit/inet_csk_accept")
int BPF_PROG(taken_fexit, struct sock *listener)
{
	__u64 child = 0;

	bpf_get_func_ret(ctx, &child);
	return accept_taken(listener, (struct sock *)child);
}

/* Before that helper the function had four arguments. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(taken_fexit_old, struct sock *listener, int flags, int *err, bool kern, struct sock *child)
{
	return accept_taken(listener, child);
}

SEC("kprobe/__sys_accept4")
int accept_kprobe(struct pt_regs *ctx)
{
	return accept_enter((int)REG_ARG1(ctx));
}

SEC("kretprobe/__sys_accept4")
int accept_kretprobe(struct pt_regs *ctx)
{
	return accept_exit((int)REG_RET(ctx));
}

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} taking SEC(".maps"); /* thread in inet_csk_accept -> listener, for the kretprobe */

SEC("kprobe/inet_csk_accept")
int taking_kprobe(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), listener = REG_ARG1(ctx);

	bpf_map_update_elem(&taking, &id, &listener, BPF_ANY);
	return 0;
}

SEC("kretprobe/inet_csk_accept")
int taken_kretprobe(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *listener = bpf_map_lookup_elem(&taking, &id);

	if (!listener)
		return 0;
	accept_taken((struct sock *)*listener, (struct sock *)REG_RET(ctx));
	bpf_map_delete_elem(&taking, &id);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int accept_sys_exit(struct sys_exit *ctx)
{
	return accept_returned(ctx->ret, user_regs());
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int accept4_sys_exit(struct sys_exit *ctx)
{
	return accept_returned(ctx->ret, user_regs());
}

SEC("tracepoint/syscalls/sys_exit_accept")
int accept_sys_exit_old(struct sys_exit *ctx)
{
	return accept_returned(ctx->ret, 0);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int accept4_sys_exit_old(struct sys_exit *ctx)
{
	return accept_returned(ctx->ret, 0);
}

/* The same from one raw tracepoint, for systems without tracefs: dearer, since it runs at the end of every call. */
SEC("tp_btf/sys_exit")
int BPF_PROG(any_sys_exit, struct pt_regs *regs, long ret)
{
	int nr = syscall_nr(regs);

	if (nr != NR_ACCEPT && nr != NR_ACCEPT4)
		return 0;
	return accept_returned(ret, regs);
}

/* Threads that hooks at the entry missed because they were blocked in accept() already: once each. */
static __always_inline int first_return(struct sys_exit *ctx, bool modern)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	if (bpf_map_delete_elem(&blocked_acceptors, &tid))
		return 0;
	return accept_returned(ctx->ret, modern ? user_regs() : 0);
}

SEC("tracepoint/syscalls/sys_exit_accept")
int first_accept(struct sys_exit *ctx)
{
	return first_return(ctx, true);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int first_accept4(struct sys_exit *ctx)
{
	return first_return(ctx, true);
}

SEC("tracepoint/syscalls/sys_exit_accept")
int first_accept_old(struct sys_exit *ctx)
{
	return first_return(ctx, false);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int first_accept4_old(struct sys_exit *ctx)
{
	return first_return(ctx, false);
}

#endif
