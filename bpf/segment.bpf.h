/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Segments that tell of trouble: sent again, or RST. */
#ifndef BELTRACE_SEGMENT_BPF_H
#define BELTRACE_SEGMENT_BPF_H

#include "sock.bpf.h"
#include "packet.bpf.h"

/* skb: what made the kernel send it, or 0. A listener has no peer: the RST goes to whom that came from. */
static __always_inline void send_segment(__u8 kind, struct sock *sk, struct sock_info *info, __u8 side,
					 struct sk_buff *skb)
{
	struct event *e = event_new(kind, sizeof(*e));

	if (!e)
		return;
	e->conn = info->id;
	e->role = info->role;
	e->side = side;
	put_owner(e, info);
	put_local(e, sk);
	if (info->role != ROLE_LISTENER)
		put_remote(e, sk);
	else
		put_listener(e, sk);
	if (info->role == ROLE_LISTENER && skb)
		put_sender(e, skb);
	event_send(e);
}

static __always_inline int on_segment(__u8 kind, struct sock *sk, __u8 side, struct sk_buff *skb)
{
	struct sock_info *info = info_of(sk);

	if (info && info->watched)
		send_segment(kind, sk, info, side, skb);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit, struct sock *sk)
{
	return on_segment(EVENT_RETRANSMIT, sk, SIDE_LOCAL, 0);
}

static __always_inline int on_synack(struct sock *listener, struct request_sock *req)
{
	struct sock_info *info = info_of(listener);
	struct event *e;

	if (!info || !info->watched)
		return 0;
	e = event_new(EVENT_RETRANSMIT, sizeof(*e));
	if (!e)
		return 0;
	e->role = ROLE_SERVER;
	e->side = SIDE_LOCAL;
	e->reason = REASON_SYNACK;
	put_owner(e, info);
	put_local(e, listener);
	put_remote(e, (struct sock *)req); /* both begin with a sock_common */
	put_listener(e, listener);
	event_send(e);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(retransmit_synack, struct sock *listener, struct request_sock *req)
{
	return on_synack(listener, req);
}

/* sk is NULL for a RST to a port where nobody listens. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(reset_sent, struct sock *sk, struct sk_buff *skb)
{
	return sk ? on_segment(EVENT_RESET, sk, SIDE_LOCAL, skb) : 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(reset_received, struct sock *sk)
{
	return on_segment(EVENT_RESET, sk, SIDE_REMOTE, 0);
}

#endif
