/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The end of a handshake: final ACKs that a listener refuses, and SYN cookies that it accepts. */
#ifndef BELTRACE_LAST_ACK_BPF_H
#define BELTRACE_LAST_ACK_BPF_H

#include "refuse.bpf.h"

/*
 * A final ACK was refused: its request was not made into a child. With TCP Fast Open a SYN is not: the function then
 * runs within tcp_conn_request(), which goes on without.
 */
static __always_inline int ack_refused(struct sock *listener, struct sk_buff *skb)
{
	struct sock_info *info = info_of(listener);
	struct syn_call *call = syn_call();
	struct queues q;

	if (!info || !info->watched || (call && call->skb == (__u64)skb))
		return 0;
	q = queues_of(listener);
	refuse(listener, info, STAGE_ACK, was_full(&q) ? CAUSE_ACCEPT_QUEUE : CAUSE_OTHER, skb, &q);
	return 0;
}

/* The number of arguments changed in 7.0 and in stable series: the return value comes from the helper (5.17). */
SEC("fexit/tcp_v4_syn_recv_sock")
int BPF_PROG(ack4_fexit, struct sock *listener, struct sk_buff *skb)
{
	__u64 child = 0;

	bpf_get_func_ret(ctx, &child);
	return child ? 0 : ack_refused(listener, skb);
}

/* That of IPv6 calls the one above for IPv4 clients. */
SEC("fexit/tcp_v6_syn_recv_sock")
int BPF_PROG(ack6_fexit, struct sock *listener, struct sk_buff *skb)
{
	__u64 child = 0;

	bpf_get_func_ret(ctx, &child);
	return child || is_ipv4(skb) ? 0 : ack_refused(listener, skb);
}

SEC("fexit/tcp_v4_syn_recv_sock")
int BPF_PROG(ack4_fexit_old, struct sock *listener, struct sk_buff *skb, void *req, void *dst, void *unhash, void *own,
	     struct sock *child)
{
	return child ? 0 : ack_refused(listener, skb);
}

SEC("fexit/tcp_v6_syn_recv_sock")
int BPF_PROG(ack6_fexit_old, struct sock *listener, struct sk_buff *skb, void *req, void *dst, void *unhash, void *own,
	     struct sock *child)
{
	return child || is_ipv4(skb) ? 0 : ack_refused(listener, skb);
}

static __always_inline void cookie_ack(struct sock *listener, struct sock_info *info)
{
	struct tally_key key = {.id = info->id, .what = TALLY_COOKIE_ACK};
	struct tally *t = tally_of(&key, listener, info);

	if (t)
		tally_count(t);
}

/*
 * An ACK that came for a request in the SYN queue says so; one on a SYN cookie (cookie_v4_check, cookie_v6_check) says
 * that it found no socket, as others do, but none of those names a listener.
 */
SEC("tp_btf/kfree_skb")
int BPF_PROG(ack_freed, struct sk_buff *skb, void *location, __u32 reason, struct sock *listener)
{
	struct sock_info *info;
	struct queues q;
	bool cookie = reason == reason_no_socket;

	if (!listener || (!cookie && reason != reason_listen_overflow))
		return 0;
	info = info_of(listener);
	if (!info || !info->watched || info->role != ROLE_LISTENER)
		return 0;
	q = queues_of(listener);
	if (cookie)
		cookie_ack(listener, info);
	refuse(listener, info, STAGE_ACK, cookie && !was_full(&q) ? CAUSE_OTHER : CAUSE_ACCEPT_QUEUE, skb, &q);
	return 0;
}

static __always_inline int cookie_accepted(struct sock *listener)
{
	struct sock_info *info = info_of(listener);
	struct tally_key key = {.what = TALLY_COOKIE_OK};
	struct tally *t;

	if (!info || !info->watched)
		return 0;
	key.id = info->id;
	t = tally_of(&key, listener, info);
	if (t)
		tally_count(t);
	return 0;
}

SEC("fexit/tcp_get_cookie_sock")
int BPF_PROG(cookie_fexit, struct sock *listener)
{
	__u64 child = 0;

	bpf_get_func_ret(ctx, &child);
	return child ? cookie_accepted(listener) : 0;
}

/* A fifth argument until 6.8 (8e7bab6b9652). */
SEC("fexit/tcp_get_cookie_sock")
int BPF_PROG(cookie_fexit_old, struct sock *listener, void *skb, void *req, void *dst, __u32 tsoff, struct sock *child)
{
	return child ? cookie_accepted(listener) : 0;
}

/* What the entry of a function leaves for its return; softirqs are off in between. */
struct last_ack {
	__u64 listener;
	__u64 skb;
};

enum last_ack_in { IN_SYN_RECV_SOCK, IN_COOKIE_SOCK, LAST_ACK_PLACES };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LAST_ACK_PLACES);
	__type(key, __u32);
	__type(value, struct last_ack);
} last_acks SEC(".maps");

static __always_inline int last_ack_enter(__u32 in, struct pt_regs *ctx)
{
	struct last_ack *ack = bpf_map_lookup_elem(&last_acks, &in);

	if (!ack)
		return 0;
	ack->listener = REG_ARG1(ctx);
	ack->skb = REG_ARG2(ctx);
	return 0;
}

static __always_inline struct last_ack last_ack_exit(__u32 in)
{
	struct last_ack *ack = bpf_map_lookup_elem(&last_acks, &in), out = {};

	if (ack) {
		out = *ack;
		ack->listener = 0;
	}
	return out;
}

SEC("kprobe/tcp_v4_syn_recv_sock")
int ack4_kprobe(struct pt_regs *ctx)
{
	return last_ack_enter(IN_SYN_RECV_SOCK, ctx);
}

SEC("kretprobe/tcp_v4_syn_recv_sock")
int ack4_kretprobe(struct pt_regs *ctx)
{
	struct last_ack ack = last_ack_exit(IN_SYN_RECV_SOCK);
	return !ack.listener || REG_RET(ctx) ? 0 : ack_refused((struct sock *)ack.listener, (struct sk_buff *)ack.skb);
}

/* For an IPv4 client the function above overwrites what this leaves, and takes it away. */
SEC("kprobe/tcp_v6_syn_recv_sock")
int ack6_kprobe(struct pt_regs *ctx)
{
	return last_ack_enter(IN_SYN_RECV_SOCK, ctx);
}

SEC("kretprobe/tcp_v6_syn_recv_sock")
int ack6_kretprobe(struct pt_regs *ctx)
{
	struct last_ack ack = last_ack_exit(IN_SYN_RECV_SOCK);
	return !ack.listener || REG_RET(ctx) ? 0 : ack_refused((struct sock *)ack.listener, (struct sk_buff *)ack.skb);
}

SEC("kprobe/tcp_get_cookie_sock")
int cookie_kprobe(struct pt_regs *ctx)
{
	return last_ack_enter(IN_COOKIE_SOCK, ctx);
}

SEC("kretprobe/tcp_get_cookie_sock")
int cookie_kretprobe(struct pt_regs *ctx)
{
	struct last_ack ack = last_ack_exit(IN_COOKIE_SOCK);
	return ack.listener && REG_RET(ctx) ? cookie_accepted((struct sock *)ack.listener) : 0;
}

#endif
