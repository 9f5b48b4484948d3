/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* SYNs and final ACKs that a listener refuses, and SYN cookies. */
#ifndef BELTRACE_REFUSE_BPF_H
#define BELTRACE_REFUSE_BPF_H

#include "packet.bpf.h"
#include "tally.bpf.h"

/*
 * A SYN inside tcp_conn_request(): what its entry leaves for its exit. One a CPU is enough: it runs with softirqs off
 * and never within itself. It returns 0 whatever it did, so that what happens in between tells.
 */
struct syn_call {
	__u64 listener; /* 0: nobody's, or not watched */
	__u64 skb;
	__u32 drops;   /* that the listener had counted before */
	__u8 answered; /* a request in the SYN queue, or with TCP Fast Open a child */
	__u8 cookie;
	__u8 pad[2];
};

/* Both queues of a listener: a refusal leaves them as they were. */
struct queues {
	__u32 syn;
	__u32 accept;
	__u32 limit;
};

static __always_inline struct queues queues_of(struct sock *listener)
{
	struct queues q = {};

	q.syn = BPF_CORE_READ((struct inet_connection_sock *)listener, icsk_accept_queue.qlen.counter);
	read_accept_queue(listener, &q.accept, &q.limit);
	return q;
}

/* Whether the accept queue was full a moment ago: another CPU may have accepted one since. */
static __always_inline bool was_full(const struct queues *q)
{
	return q->accept >= q->limit;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syn_call);
} syn_calls SEC(".maps");

static __always_inline struct syn_call *syn_call(void)
{
	__u32 zero = 0;
	struct syn_call *call = bpf_map_lookup_elem(&syn_calls, &zero);
	return call && call->listener ? call : 0;
}

/* The SYN that this CPU is at was not refused. */
static __always_inline void syn_answered(void)
{
	struct syn_call *call = syn_call();
	if (call)
		call->answered = 1;
}

static __always_inline int syn_cookie(void)
{
	struct syn_call *call = syn_call();
	if (call)
		call->cookie = 1;
	return 0;
}

static __always_inline int syn_enter(struct sock *listener, struct sk_buff *skb, enum follow how)
{
	struct sock_info *info = info_of(listener);
	__u32 zero = 0;
	struct syn_call *call = bpf_map_lookup_elem(&syn_calls, &zero);

	if (!call)
		return 0;
	call->listener = 0;
	if (!info || !info->watched)
		return 0;
	call->listener = (__u64)listener;
	call->skb = (__u64)skb;
	call->drops = MEMBER(how, listener, sk_drops.counter);
	call->answered = call->cookie = 0;
	return 0;
}

/*
 * The order in which tcp_conn_request() decides. A SYN queue is full when it holds more than the backlog; before 6.14
 * and its backports (3479c7549fb1) when it holds as many.
 */
static __always_inline __u16 syn_cause(struct sock *listener, const struct queues *q)
{
	struct net *net = BPF_CORE_READ(listener, __sk_common.skc_net.net);
	int most = BPF_CORE_READ(net, ipv4.sysctl_max_syn_backlog);
	bool cookies = BPF_CORE_READ(net, ipv4.sysctl_tcp_syncookies);

	if (!cookies && q->syn > q->limit)
		return CAUSE_SYN_QUEUE;
	if (q->accept > q->limit)
		return CAUSE_ACCEPT_QUEUE;
	if (cookies)
		return was_full(q) ? CAUSE_ACCEPT_QUEUE : CAUSE_OTHER;
	if (most - (int)q->syn < most >> 2)
		return CAUSE_SYN_BACKLOG;
	return q->syn == q->limit ? CAUSE_SYN_QUEUE : CAUSE_OTHER;
}

/* Counts a refusal, with a record unless there are too many. */
static __always_inline void refuse(struct sock *listener, struct sock_info *info, __u8 stage, __u16 cause,
				   struct sk_buff *skb, const struct queues *q)
{
	struct tally_key key = {.id = info->id, .code = cause, .what = stage == STAGE_SYN ? TALLY_SYN : TALLY_ACK};
	struct tally *t = tally_of(&key, listener, info);
	struct drop_event *e;

	if (!t)
		return;
	e = tally_record(t, EVENT_SYN_DROP, sizeof(*e));
	if (e) {
		put_sender(&e->e, skb);
		e->syn_queue = q->syn;
		e->accept_queue = q->accept;
		e->backlog = q->limit;
		e->e.has |= HAS_QUEUES | HAS_SYN_QUEUE;
		e->stage = stage;
		e->cause = cause;
		event_send(e);
	}
	tally_count(t);
}

static __always_inline void cookie_sent(struct sock *listener, struct sock_info *info, const struct syn_call *call)
{
	struct tally_key key = {.id = info->id, .what = TALLY_COOKIE_SENT};
	struct tally *t = tally_of(&key, listener, info);
	struct queue_event *e;

	if (!t)
		return;
	e = emit_syn ? tally_record(t, EVENT_SYN, sizeof(*e)) : 0;
	if (e) {
		put_sender(&e->e, (struct sk_buff *)call->skb);
		put_queues(e, listener);
		e->e.has |= HAS_NEW_COOKIE;
		event_send(e);
	}
	tally_count(t);
}

/* The listener counts each refused SYN: one that it did not count was not refused, whatever else was missed. */
static __always_inline int syn_exit(void)
{
	struct syn_call *call = syn_call();
	struct sock_info *info;
	struct sock *listener;

	if (!call)
		return 0;
	listener = (struct sock *)call->listener;
	call->listener = 0;
	if (call->answered)
		return 0;
	info = info_of(listener);
	if (!info)
		return 0;
	if (call->cookie) {
		cookie_sent(listener, info, call);
	} else if (BPF_CORE_READ(listener, sk_drops.counter) != call->drops) {
		struct queues q = queues_of(listener);

		refuse(listener, info, STAGE_SYN, syn_cause(listener, &q), (struct sk_buff *)call->skb, &q);
	}
	return 0;
}

SEC("fentry/tcp_conn_request")
int BPF_PROG(syn_fentry, void *ops, void *family_ops, struct sock *listener, struct sk_buff *skb)
{
	return syn_enter(listener, skb, TYPED);
}

SEC("fexit/tcp_conn_request")
int BPF_PROG(syn_fexit)
{
	return syn_exit();
}

SEC("kprobe/tcp_conn_request")
int syn_kprobe(struct pt_regs *ctx)
{
	return syn_enter((struct sock *)REG_ARG3(ctx), (struct sk_buff *)REG_ARG4(ctx), PROBED);
}

SEC("kretprobe/tcp_conn_request")
int syn_kretprobe(struct pt_regs *ctx)
{
	return syn_exit();
}

SEC("fentry/cookie_v4_init_sequence")
int BPF_PROG(cookie4_fentry)
{
	return syn_cookie();
}

SEC("fentry/cookie_v6_init_sequence")
int BPF_PROG(cookie6_fentry)
{
	return syn_cookie();
}

SEC("kprobe/cookie_v4_init_sequence")
int cookie4_kprobe(struct pt_regs *ctx)
{
	return syn_cookie();
}

SEC("kprobe/cookie_v6_init_sequence")
int cookie6_kprobe(struct pt_regs *ctx)
{
	return syn_cookie();
}

#endif
