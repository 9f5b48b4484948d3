/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* A connection's life as the state changes of its socket tell it, in every tier. */
#ifndef BELTRACE_CONN_BPF_H
#define BELTRACE_CONN_BPF_H

static __always_inline void send_connect(struct sock *sk, struct sock_info *info)
{
	struct event *e = event_new(EVENT_CONNECT, sizeof(*e));

	info->connect_done = 1;
	if (!e)
		return;
	e->ts = info->start;
	e->conn = info->id;
	e->role = ROLE_CLIENT;
	put_owner(e, info);
	put_local(e, sk);
	put_remote(e, sk);
	event_send(e);
}

/* CLOSE -> SYN_SENT: inside connect(), in the client's context; the local port may not be chosen yet. */
static __always_inline void client_start(struct sock *sk, bool modern)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connect_call *call = bpf_map_lookup_elem(&connects, &id);
	struct sock_info *info;

	if (call)
		call->stage = CONNECT_SENDING;
	if (!place_wanted(sk, local_port(sk), remote_port(sk)))
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
		send_connect(sk, info);
}

/* LISTEN -> SYN_RECV: sk is the child that is about to enter the accept queue. Its cookie is still the listener's. */
static __always_inline struct sock_info *child_start(struct sock *sk)
{
	struct sock_info *info;

	if (!port_wanted(local_port(sk), remote_port(sk)) && remote_port(sk))
		return 0;
	info = info_new(sk, TCP_SYN_RECV);
	if (!info)
		return 0;
	info->role = ROLE_SERVER;
	info->queued = bpf_ktime_get_ns();
	return info;
}

static __always_inline void established(struct sock *sk, int old, bool modern)
{
	struct sock_info *info = info_of(sk);
	struct established_event *e;

	if (!info && old == TCP_SYN_RECV)
		info = child_start(sk);
	if (!info)
		return;
	if (!place_wanted(sk, local_port(sk), remote_port(sk))) {
		info_end(sk);
		return;
	}
	if (!info->id)
		info->id = id_of(sk, modern);
	info->established = bpf_ktime_get_ns();
	if (modern && info->role == ROLE_SERVER)
		follow_lineage(sk, info);
	if (info->role == ROLE_SERVER && !info->accepted)
		inherit(sk, info, modern);
	if (!info->watched)
		return;
	e = event_new(EVENT_ESTABLISHED, sizeof(*e));
	if (!e)
		return;
	e->e.ts = info->established;
	e->e.conn = info->id;
	e->e.role = info->role;
	put_owner(&e->e, info);
	put_local(&e->e, sk);
	put_remote(&e->e, sk);
	put_listener(&e->e, (struct sock *)info->listener_sk);
	e->rtt_us = BPF_CORE_READ((struct tcp_sock *)sk, srtt_us) >> 3;
	if (e->rtt_us)
		e->e.has |= HAS_RTT;
	if (info->start) {
		e->handshake_ns = info->established - info->start;
		e->e.has |= HAS_HANDSHAKE;
	} else if (e->rtt_us && !info->by_function) {	   /* else it came by SYN cookie: the SYN is forgotten */
		e->handshake_ns = (__u64)e->rtt_us * 1000; /* SYN-ACK to ACK */
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
	parent = info_of(listener_of(sk, info, false));
	return parent && parent->ended;
}

/* Why and by whom a connection ended, from its last state and the error on the socket. */
static __always_inline void put_end(struct close_event *e, struct sock *sk, struct sock_info *info, int old)
{
	e->error = BPF_CORE_READ(sk, sk_err);
	if (e->error) {
		e->e.has |= HAS_ERROR;
		e->e.reason = REASON_ERROR;
		return;
	}
	e->e.side = info->first_end; /* none: its FIN was before our time */
	switch (old) {
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

	if (old != TCP_SYN_SENT || BPF_CORE_READ(sk, sk_err))
		return false;
	call = bpf_map_lookup_elem(&connects, &id);
	if (!call || call->sk != (__u64)sk)
		return false;
	call->stage = CONNECT_FAILED;
	return true;
}

static __always_inline void closed(struct sock *sk, int old)
{
	struct sock_info *info = info_of(sk);
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
	if (fell_back(sk, old))
		return;
	if (info->role == ROLE_CLIENT && !info->connect_done)
		send_connect(sk, info);
	e = event_new(EVENT_CLOSE, sizeof(*e));
	if (!e)
		return;
	e->e.conn = info->id;
	e->e.role = info->role;
	put_owner(&e->e, info);
	put_local(&e->e, sk);
	put_remote(&e->e, sk);
	put_end(e, sk, info, old);
	if (old != TCP_SYN_SENT) {
		e->bytes_in = payload_in(sk);
		e->bytes_out = payload_out(sk);
		e->e.has |= HAS_TOTALS;
	}
	e->retransmits = BPF_CORE_READ((struct tcp_sock *)sk, total_retrans);
	e->rtt_us = BPF_CORE_READ((struct tcp_sock *)sk, srtt_us) >> 3;
	if (e->rtt_us)
		e->e.has |= HAS_RTT;
	if (info->established) {
		e->duration_ns = e->e.ts - info->established;
		e->e.has |= HAS_DURATION;
	}
	event_send(e);
}

static __always_inline void first_end(struct sock *sk, __u8 side)
{
	struct sock_info *info = info_of(sk);

	if (info && !info->first_end)
		info->first_end = side;
}

/* Whether this change is to be handled: several copies of the program may see it, and the first one does. */
static __always_inline bool claim(struct sock *sk, int new)
{
	struct sock_info *info = info_of(sk);

	if (info) {
		if (info->last == new)
			return false;
		info->last = new;
	}
	return true;
}

static __always_inline int on_set_state(struct sock *sk, int old, int new, bool modern, bool second)
{
	if (!armed || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0; /* an MPTCP socket repeats what its subflow does */
	if (!claim(sk, new))
		return 0;
	switch (new) {
	case TCP_SYN_SENT:
		client_start(sk, modern);
		break;
	case TCP_LISTEN:
		listener_start(sk, modern);
		break;
	case TCP_SYN_RECV:
		if (old == TCP_LISTEN)
			child_start(sk);
		break;
	case TCP_ESTABLISHED:
		established(sk, old, modern);
		break;
	case TCP_FIN_WAIT1:
		first_end(sk, SIDE_LOCAL);
		break;
	case TCP_CLOSE_WAIT:
		first_end(sk, SIDE_REMOTE);
		break;
	case TCP_CLOSE:
		closed(sk, old);
		break;
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

/* Further copies, for kernels that leave out runs of the first. */
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

/* The memory of a socket goes: nothing more can happen to it. If its last change was not seen, it ends here. */
static __always_inline int on_destroy(struct sock *sk)
{
	struct sock_info *info = info_of(sk);

	if (info && !info->ended)
		closed(sk, info->last ? info->last : TCP_ESTABLISHED);
	return info_end(sk);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy_sock, struct sock *sk)
{
	return on_destroy(sk);
}

#endif
