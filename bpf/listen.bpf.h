/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Listeners, and whose child a connection is. */
#ifndef BELTRACE_LISTEN_BPF_H
#define BELTRACE_LISTEN_BPF_H

#include "callnumbers.h"
#include "places.bpf.h"

/*
 * Whose child a socket is that changes from LISTEN to SYN_RECV: inet_csk_clone_lock() has just copied it, byte by byte,
 * and the heads of its lists are made anew only later (tcp_create_openreq_child, 4.16 to 7.3). An empty list's head
 * points at itself, so that the copy points at the listener's. Whoever asks must look up whether it is one.
 */
static __always_inline __u64 copied_from(struct tcp_sock *child)
{
	return (__u64)child->tsorted_sent_queue.next - bpf_core_field_offset(child->tsorted_sent_queue);
}

/*
 * modern: the helpers of 5.15 are there (socket cookie, user registers, socket storage in tracing programs). It is a
 * constant at each call, so that older kernels never see what they would refuse.
 */
static __always_inline __u64 id_of(struct sock *sk, bool modern)
{
	return modern ? bpf_get_socket_cookie(sk) : own_id(OWN_CALL);
}

/* What listen() was called with, before somaxconn caps it. False when another call made the socket listen. */
static __always_inline bool listen_argument(__u32 *backlog)
{
	struct pt_regs *regs = user_regs();

	if (syscall_nr(regs) != NR_LISTEN)
		return false;
	*backlog = (__u32)REG_ARG2(regs);
	return true;
}

/* It listens, and where is known. */
static __always_inline void listener_told(struct sock *sk, struct sock_info *info)
{
	struct event place = {};
	struct queue_event *e;

	put_local(&place, sk);
	keep_address(info, &place);
	place_join(sk);
	info->told = 1;
	if (!info->watched)
		return;
	process_serves(info->pid);
	e = event_at(EVENT_LISTEN, sizeof(*e), info->start);
	if (!e)
		return;
	e->e.conn = info->id;
	e->e.role = ROLE_LISTENER;
	put_owner(&e->e, info);
	put_local(&e->e, sk);
	put_queues(e, sk);
	if (info->has_asked) {
		e->asked = info->asked;
		e->e.has |= HAS_ASKED;
	}
	event_send(e);
}

/*
 * The state changes to LISTEN before listen() chooses a port, or finds that the one that was bound is in use: where its end
 * is hooked, it is told there.
 */
static __always_inline void listener_start(struct sock *sk, bool modern)
{
	__u64 id = bpf_get_current_pid_tgid(), *call = bpf_map_lookup_elem(&listens, &id);
	__u16 port = local_port(sk);
	struct sock_info *info;

	if ((port || !call) && !place_wanted(sk, port, 0))
		return;
	info = info_new(sk, TCP_LISTEN);
	if (!info)
		return;
	info->id = id_of(sk, modern);
	info->role = ROLE_LISTENER;
	info->start = bpf_ktime_get_ns();
	take_owner(info);
	info->watched = process_wanted(info->pid, info->comm);
	if (modern) {
		info->has_asked = listen_argument(&info->asked);
		bpf_sk_storage_get(&listeners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	}
	if (call)
		*call = (__u64)sk;
	else
		listener_told(sk, info);
}

static __always_inline int listen_enter(void)
{
	__u64 id = bpf_get_current_pid_tgid(), none = 0;

	bpf_map_update_elem(&listens, &id, &none, BPF_ANY);
	return 0;
}

static __always_inline int listen_exit(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *call = bpf_map_lookup_elem(&listens, &id);
	struct sock_info *info;
	struct sock *sk;

	if (!call)
		return 0;
	sk = (struct sock *)*call;
	bpf_map_delete_elem(&listens, &id);
	info = listener_info((__u64)sk);
	if (!info || info->ended) /* it failed */
		return 0;
	if (place_wanted(sk, local_port(sk), 0))
		listener_told(sk, info);
	else
		info_end(sk);
	return 0;
}

SEC("fentry/inet_csk_listen_start")
int BPF_PROG(listen_fentry)
{
	return listen_enter();
}

SEC("fexit/inet_csk_listen_start")
int BPF_PROG(listen_fexit)
{
	return listen_exit();
}

SEC("kprobe/inet_csk_listen_start")
int listen_kprobe(struct pt_regs *ctx)
{
	return listen_enter();
}

SEC("kretprobe/inet_csk_listen_start")
int listen_kretprobe(struct pt_regs *ctx)
{
	return listen_exit();
}

SEC("tracepoint/syscalls/sys_enter_listen")
int listen_sys_enter(void *ctx)
{
	return listen_enter();
}

SEC("tracepoint/syscalls/sys_exit_listen")
int listen_sys_exit(struct sys_exit *ctx)
{
	return listen_exit();
}

static __always_inline void listener_end(struct sock *sk, struct sock_info *info)
{
	struct queue_event *e;

	if (!info->told) /* it never listened */
		return;
	place_leave(sk);
	if (!info->watched)
		return;
	e = event_new(EVENT_UNLISTEN, sizeof(*e));
	if (!e)
		return;
	e->e.conn = info->id;
	e->e.role = ROLE_LISTENER;
	put_owner(&e->e, info);
	put_local(&e->e, sk);
	put_queues(e, sk);
	event_send(e);
}

static __always_inline __u64 listener_of(struct sock *sk, struct sock_info *info, bool modern)
{
	struct place place = {};
	struct place_listeners *here;

	if (info->listener_sk || modern)
		return info->listener_sk;
	local_place(sk, &place);
	here = listeners_at(&place);
	return here ? one_of(here) : 0;
}

/* The listener that a socket came from, as long as it listens. */
static __always_inline struct sock *listening_parent(struct sock_info *info)
{
	struct sock_info *parent = info ? listener_info(info->listener_sk) : 0;

	return parent && !parent->ended ? (struct sock *)info->listener_sk : 0;
}

/* What a child has from its listener: whether it is watched, and its owner until somebody accepts it. early: somebody has. */
static __always_inline void inherit(struct sock_info *info, const struct sock_info *parent, bool early)
{
	if (!parent) {
		info->watched = !filter_pids && !filter_comm;
		return;
	}
	info->watched = parent->watched;
	if (info->pid || early)
		return;
	info->pid = parent->pid;
	info->tid = parent->tid;
	__builtin_memcpy(info->comm, parent->comm, sizeof(info->comm));
}

#endif
