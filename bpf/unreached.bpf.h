/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* SYNs that the kernel drops before they reach a listener, with the reason that it names (5.17+). */
#ifndef BELTRACE_UNREACHED_BPF_H
#define BELTRACE_UNREACHED_BPF_H

#include "packet.bpf.h"
#include "tally.bpf.h"

static __always_inline __u32 netns_of_packet(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct sock *sk = BPF_CORE_READ(skb, sk);

	if (dev)
		return BPF_CORE_READ(dev, nd_net.net, ns.inum);
	return sk ? netns_of(sk) : 0;
}

/* Whether a listener takes what is sent to this address: its own, or any. */
static __always_inline bool listens_at(struct sock *listener, const struct syn_packet *syn)
{
	__be32 at = BPF_CORE_READ(listener, __sk_common.skc_rcv_saddr);
	__u64 at6[2] = {}, to[2];

	if (syn->family == 4)
		return !at || at == *(__be32 *)syn->to;
	if (BPF_CORE_READ(listener, __sk_common.skc_family) != AF_INET6)
		return false;
	BPF_CORE_READ_INTO((struct in6_addr *)at6, listener, __sk_common.skc_v6_rcv_saddr);
	__builtin_memcpy(to, syn->to, sizeof(to));
	return (!at6[0] && !at6[1]) || (at6[0] == to[0] && at6[1] == to[1]);
}

static __always_inline void put_packet(struct event *e, const struct syn_packet *syn)
{
	e->family = syn->family;
	__builtin_memcpy(e->laddr, syn->to, sizeof(e->laddr));
	__builtin_memcpy(e->raddr, syn->from, sizeof(e->raddr));
	e->lport = syn->dport;
	e->rport = syn->sport;
	e->has |= HAS_LOCAL | HAS_REMOTE;
}

/* Of several listeners on a port it would have been any: then only the port is told. */
static __always_inline struct tally *tally_of_port(const struct tally_key *key, __u32 netns,
						   const struct syn_packet *syn)
{
	struct tally *t = bpf_map_lookup_elem(&tallies, key);
	struct tally fresh = {};

	if (t)
		return t;
	fresh.e.netns = netns;
	fresh.e.role = ROLE_SERVER;
	fresh.e.family = syn->family;
	fresh.e.lport = syn->dport;
	__builtin_memcpy(fresh.e.laddr, syn->to, sizeof(fresh.e.laddr));
	fresh.e.has = HAS_LOCAL;
	return tally_add(key, &fresh);
}

static __always_inline int on_unreached(struct sk_buff *skb, __u32 reason)
{
	struct tally_key key = {.code = reason, .what = TALLY_UNREACHED};
	struct place_listeners *here;
	struct syn_packet syn = {};
	struct place place = {};
	struct sock_info *info;
	struct drop_event *e;
	struct tally *t;

	read_syn(skb, &syn);
	if (!syn.family)
		return 0;
	place.netns = netns_of_packet(skb);
	place.port = syn.dport;
	here = bpf_map_lookup_elem(&places, &place);
	if (!here || !here->many)
		return 0;
	info = info_of((struct sock *)here->last);
	if (!info || !info->watched || info->role != ROLE_LISTENER)
		return 0;
	if (here->many == 1) {
		if (!listens_at((struct sock *)here->last, &syn))
			return 0;
		key.id = info->id;
		t = tally_of(&key, (struct sock *)here->last, info);
	} else {
		key.id = 1ULL << 63 | (__u64)place.netns << 16 | place.port;
		t = tally_of_port(&key, place.netns, &syn);
	}
	if (!t)
		return 0;
	e = tally_record(t, EVENT_SYN_DROP, sizeof(*e));
	if (e) {
		put_packet(&e->e, &syn);
		e->stage = STAGE_SYN;
		e->cause = CAUSE_OTHER;
		e->kernel_reason = reason;
		event_send(e);
	}
	tally_count(t);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(syn_freed, struct sk_buff *skb, void *location, __u32 reason)
{
	if (reason >= MAX_REASONS)
		return 0;
	barrier_var(reason); /* else clang checks one register and uses another, which the verifier does not follow */
	if (!unreached_reason[reason & (MAX_REASONS - 1)])
		return 0;
	return on_unreached(skb, reason);
}

#endif
