/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* A connection's life as the state changes of its socket tell it, in every tier. */
#ifndef BELTRACE_CONN_BPF_H
#define BELTRACE_CONN_BPF_H

#include "listen.bpf.h"
#include "io.bpf.h"

static __always_inline void send_connect(struct sock *sk, struct sock_info *info, enum follow how)
{
	struct event *e = event_at(EVENT_CONNECT, sizeof(*e), info->start);

	info->connect_done = 1;
	if (!e)
		return;
	e->conn = info->id;
	e->role = ROLE_CLIENT;
	put_owner(e, info);
	put_local_by(e, sk, how);
	put_remote_by(e, sk, how);
	event_send(e);
}

/* CLOSE -> SYN_SENT: inside connect(), in the client's context; the local port may not be chosen yet. */
static __always_inline void client_start(struct sock *sk, bool modern)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connect_call *call = in_connect ? bpf_map_lookup_elem(&connects, &id) : 0;
	struct sock_info *info;

	if (call)
		call->stage = CONNECT_SENDING;
	if (!place_wanted(sk, local_port_by(sk, TYPED), remote_port_by(sk, TYPED)))
		return;
	info = info_new(sk, TCP_SYN_SENT);
	if (!info)
		return;
	info->id = id_of(sk, modern);
	info->role = ROLE_CLIENT;
	info->start = call ? call->ts : bpf_ktime_get_ns();
	take_owner(info);
	info->watched = process_wanted(info->pid, info->comm);
	if (info->watched && !call) /* else the hook at the return does it, with the local port */
		send_connect(sk, info, TYPED);
}

/*
 * LISTEN -> SYN_RECV: sk is the child that is about to enter the accept queue. Its cookie is still the listener's, but it
 * needs a number before anybody else can have it.
 */
static __always_inline struct sock_info *child_start(struct sock *sk)
{
	__u16 local = local_port_by(sk, TYPED), remote = remote_port_by(sk, TYPED);
	struct sock_info *info;

	if (!port_wanted(local, remote) && remote)
		return 0;
	info = info_new(sk, TCP_SYN_RECV);
	if (!info)
		return 0;
	info->id = own_id(OWN_SOFTIRQ);
	info->role = ROLE_SERVER;
	info->place.at.queued = bpf_ktime_get_ns();
	return info;
}

/*
 * Whether accept() has a child already, as with TCP Fast Open, and may be telling of it on another CPU: its number is fixed
 * then, and accept() writes its owner. The socket's lock is held here, as it is where accept() gives the child its struct
 * socket, long before it returns.
 */
static __always_inline bool taken(struct sock *sk, struct sock_info *info)
{
	return READ_NOW(info->accepted) || (sk->sk_socket && sk->sk_socket->sk == sk);
}

/*
 * Whether a server's first round trip, from SYN-ACK to ACK, is all of its handshake. Of a SYN-ACK that was sent again it is that
 * of the last one; where functions stamp SYNs, one without a stamp came by SYN cookie, and its SYN is forgotten.
 */
static __always_inline bool measures_handshake(struct tcp_sock *tcp, const struct sock_info *info)
{
	return info->role == ROLE_SERVER && !info->by_function && !tcp->total_retrans;
}

static __always_inline void established(struct sock *sk, struct sock_info *info, int old, bool modern)
{
	const struct sock_info *owner;
	struct sock_info *parent = 0;
	struct established_event *e;
	bool early;

	if (!info && old == TCP_SYN_RECV)
		info = child_start(sk);
	if (!info)
		return;
	if (!place_wanted(sk, local_port_by(sk, TYPED), remote_port_by(sk, TYPED))) {
		info_end(sk);
		return;
	}
	early = info->role == ROLE_SERVER && taken(sk, info);
	if (modern && is_own(info->id) && !early)
		info->id = bpf_get_socket_cookie(sk);
	info->place.at.established = bpf_ktime_get_ns();
	if (info->role == ROLE_SERVER)
		parent = listener_info(listener_of(sk, info, modern));
	owner = info;
	if (info->role == ROLE_SERVER && !READ_NOW(info->accepted)) {
		inherit(info, parent, early);
		owner = parent;
	}
	if (!info->watched)
		return;
	e = event_at(EVENT_ESTABLISHED, sizeof(*e), info->place.at.established);
	if (!e)
		return;
	e->e.conn = info->id;
	e->e.role = info->role;
	if (owner)
		put_owner(&e->e, owner);
	put_local_by(&e->e, sk, TYPED);
	put_remote_by(&e->e, sk, TYPED);
	if (info->listener_sk)
		put_parent(&e->e, parent);
	info->told = 1;
	e->rtt_us = ((struct tcp_sock *)sk)->srtt_us >> 3;
	if (e->rtt_us)
		e->e.has |= HAS_RTT;
	if (info->start) {
		e->handshake_ns = info->place.at.established - info->start;
		e->e.has |= HAS_HANDSHAKE;
	} else if (e->rtt_us && measures_handshake((struct tcp_sock *)sk, info)) {
		e->handshake_ns = (__u64)e->rtt_us * 1000;
		e->e.has |= HAS_HANDSHAKE;
	}
	event_send(e);
}

/* Whether a connection was cut off while nobody had accepted it, and its listener is gone: that cuts them off. */
static __always_inline bool left_by_listener(struct sock *sk, struct sock_info *info)
{
	struct sock_info *parent;

	if (info->role != ROLE_SERVER || info->accepted)
		return false;
	parent = listener_info(listener_of(sk, info, false));
	return parent && parent->ended;
}

/* Why and by whom a connection ended, from its last state and the error on the socket. */
static __always_inline void put_end(struct close_event *e, struct sock *sk, struct sock_info *info, int old)
{
	e->error = sk->sk_err;
	if (e->error) {
		e->e.has |= HAS_ERROR;
		e->e.reason = REASON_ERROR;
		return;
	}
	e->e.side = info->first_end; /* none: its FIN was before our time */
	switch (old) {
	case 0: /* not known */
		break;
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		e->e.reason = left_by_listener(sk, info) ? REASON_LISTENER : REASON_ABORTED;
		e->e.side = SIDE_LOCAL;
		break;
	default:
		e->e.reason = REASON_FIN;
	}
}

/* connect() gave up within the call, for want of a port or memory: only its return value says why. */
static __always_inline bool fell_back(struct sock *sk, int old)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connect_call *call;

	if (!in_connect || old != TCP_SYN_SENT || sk->sk_err)
		return false;
	call = bpf_map_lookup_elem(&connects, &id);
	if (!call || call->sk != (__u64)sk)
		return false;
	call->stage = CONNECT_FAILED;
	return true;
}

static __always_inline void closed(struct sock *sk, struct sock_info *info, int old)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	struct close_event *e;

	if (!info || info->ended)
		return;
	info->ended = 1;
	if (info->role == ROLE_LISTENER) {
		listener_end(sk, info);
		return;
	}
	if (!info->watched)
		return;
	end_flow(sk);
	if (fell_back(sk, old))
		return;
	if (info->role == ROLE_CLIENT && !info->connect_done)
		send_connect(sk, info, TYPED);
	e = event_new(EVENT_CLOSE, sizeof(*e));
	if (!e)
		return;
	e->e.conn = info->id;
	e->e.role = info->role;
	put_owner(&e->e, info);
	put_local_by(&e->e, sk, TYPED);
	put_remote_by(&e->e, sk, TYPED);
	put_end(e, sk, info, old);
	if (old != TCP_SYN_SENT) {
		e->bytes_in = payload_in(tcp);
		e->bytes_out = payload_out(tcp);
		e->e.has |= HAS_TOTALS;
	}
	e->retransmits = tcp->total_retrans;
	e->rtt_us = tcp->srtt_us >> 3;
	if (e->rtt_us)
		e->e.has |= HAS_RTT;
	if (info->place.at.established) {
		e->duration_ns = e->e.ts - info->place.at.established;
		e->e.has |= HAS_DURATION;
	}
	event_send(e);
}

static __always_inline void first_end(struct sock_info *info, __u8 side)
{
	if (!info->first_end)
		info->first_end = side;
}

/*
 * Whether this change is to be handled: several copies of the program may see it, and the first one does. info: NULL if
 * nothing is known of the socket.
 */
static __always_inline bool claim(struct sock_info *info, int new)
{
	if (info) {
		if (info->last == new)
			return false;
		info->last = new;
	}
	return true;
}

/* A change that the socket's own state says all about. */
static __always_inline void on_fin(struct sock_info *info, int new)
{
	if (new == TCP_FIN_WAIT1)
		first_end(info, SIDE_LOCAL);
	if (new == TCP_CLOSE_WAIT)
		first_end(info, SIDE_REMOTE);
}

/* A change at which something begins or ends. sk has the type struct tcp_sock. */
static __always_inline void on_turn(struct sock *sk, struct sock_info *info, int old, int new, bool modern)
{
	switch (new) {
	case TCP_SYN_SENT:
		if (info) /* it was connected before */
			forget_flow(sk);
		client_start(sk, modern);
		break;
	case TCP_LISTEN:
		listener_start(sk, modern);
		break;
	case TCP_SYN_RECV:
		if (old != TCP_LISTEN)
			break;
		info = child_start(sk);
		if (info && use_lineage)
			info->listener_sk = copied_from((struct tcp_sock *)sk);
		break;
	case TCP_ESTABLISHED:
		established(sk, info, old, modern);
		break;
	case TCP_CLOSE:
		closed(sk, info, old);
		break;
	}
}

/* The changes that are handled. What is left out comes between two of the same connection. */
#define BEGINS_OR_ENDS (1 << TCP_SYN_SENT | 1 << TCP_LISTEN | 1 << TCP_SYN_RECV | 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE)
#define FINS (1 << TCP_FIN_WAIT1 | 1 << TCP_CLOSE_WAIT)
#define LAST_ACKS (copies ? 1 << TCP_LAST_ACK : 0) /* what is missed more often must be guessed from the last change */

static __always_inline int on_set_state(struct sock *sk, int old, int new, bool modern, bool second)
{
	struct sock_info *info;

	if (!armed || !((BEGINS_OR_ENDS | FINS | LAST_ACKS) >> (new & 31) & 1))
		return 0;
	info = info_of(sk);
	if (!claim(info, new))
		return 0;
	if ((FINS | LAST_ACKS) >> (new & 31) & 1) {
		if (info)
			on_fin(info, new);
	} else {
		sk = (struct sock *)bpf_skc_to_tcp_sock(sk);
		if (!sk)
			return 0; /* an MPTCP socket repeats what its subflow does */
		on_turn(sk, info, old, new, modern);
	}
	if (second && info_of(sk))
		count_lost(SAVED);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock *sk, int old, int new)
{
	return on_set_state(sk, old, new, true, false);
}

/* Further copies: while the first runs, the kernel leaves out what a softirq, and from 7.0 on another task, brings to it. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state_again, struct sock *sk, int old, int new)
{
	return on_set_state(sk, old, new, true, true);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state_old, struct sock *sk, int old, int new)
{
	return on_set_state(sk, old, new, false, false);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state_old_again, struct sock *sk, int old, int new)
{
	return on_set_state(sk, old, new, false, true);
}

/* The state that a socket was in before a change that was missed; 0: not known. */
static __always_inline int last_state(const struct sock_info *info)
{
	if (info->last == TCP_CLOSE_WAIT && !copies)
		return 0;
	return info->last ? info->last : TCP_ESTABLISHED;
}

/* The memory of a socket goes: nothing more can happen to it. If its last change was not seen, it ends here. */
static __always_inline int on_destroy(struct sock *sk)
{
	struct sock_info *info = info_of(sk);
	struct sock *tcp;

	if (!info)
		return 0;
	if (!info->ended) {
		tcp = (struct sock *)bpf_skc_to_tcp_sock(sk);
		if (tcp)
			closed(tcp, info, last_state(info));
	}
	forget_flow(sk);
	return info_end(sk);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy_sock, struct sock *sk)
{
	return on_destroy(sk);
}

/*
 * Who accepts a connection owns it: until then it is watched as its listener is. False when it was not, and is not now.
 * That another process took it is told, and nothing after it.
 */
static __always_inline bool take_child(struct sock *child, struct sock_info *info)
{
	__u64 key = (__u64)child;
	bool waited = info->watched;

	take_owner(info);
	/* In this order: with TCP Fast Open the handshake may end on another CPU just now (established). */
	WRITE_NOW(info->watched, process_wanted(info->pid, info->comm));
	WRITE_NOW(info->accepted, 1);
	if (info->watched) {
		thread_serves();
		return true;
	}
	bpf_map_delete_elem(&flows, &key);
	return waited && info->pid != self_tgid;
}

#endif
