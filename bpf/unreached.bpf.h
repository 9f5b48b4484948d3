/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* SYNs that the kernel drops before they reach a listener, with the reason that it names (5.17+). */
#ifndef BELTRACE_UNREACHED_BPF_H
#define BELTRACE_UNREACHED_BPF_H

#include "packet.bpf.h"
#include "places.bpf.h"
#include "tally.bpf.h"

static __always_inline __u32 netns_of_packet(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct sock *sk = BPF_CORE_READ(skb, sk);

	if (dev)
		return BPF_CORE_READ(dev, nd_net.net, ns.inum);
	return sk ? netns_of(sk) : 0;
}

/* Whether an address is this host's in any case: a loopback address. */
static __always_inline bool is_loopback(const struct place *p)
{
	return p->family == 4 ? (p->addr[0] & 0xff) == 127 : !p->addr[0] && p->addr[1] == bpf_cpu_to_be64(1);
}

static __always_inline void put_packet(struct event *e, const struct syn_packet *syn, bool here)
{
	e->family = syn->family;
	__builtin_memcpy(e->raddr, syn->from, sizeof(e->raddr));
	e->rport = syn->sport;
	e->has |= HAS_REMOTE;
	if (!here)
		return;
	__builtin_memcpy(e->laddr, syn->to, sizeof(e->laddr));
	e->lport = syn->dport;
	e->has |= HAS_LOCAL;
}

/*
 * Of several listeners at a place it would have been any: then only the place is told. Of a packet that may have been for
 * another host not even that.
 */
static __always_inline struct tally *tally_of_place(const struct tally_key *key, const struct place *place, bool here)
{
	struct tally *t = bpf_map_lookup_elem(&tallies, key);
	struct tally fresh = {};

	if (t)
		return t;
	fresh.e.netns = place->netns;
	fresh.e.role = ROLE_SERVER;
	if (here) {
		fresh.e.family = place->family;
		fresh.e.lport = place->port;
		__builtin_memcpy(fresh.e.laddr, place->addr, sizeof(fresh.e.laddr));
		fresh.e.has = HAS_LOCAL;
	}
	return tally_add(key, &fresh);
}

static __always_inline struct tally *tally_of_unreached(struct place *place, struct place_listeners *listening,
							__u32 reason, bool here)
{
	struct tally_key key = {.code = reason, .what = TALLY_UNREACHED};
	__u64 listener = one_of(listening);
	struct sock_info *info = listener_info(listener);

	if (info ? !info->watched : filter_pids || filter_comm)
		return 0;
	if (here && info && listening->many == 1) {
		key.id = info->id;
		return tally_of(&key, (struct sock *)listener, info);
	}
	key.id = here ? listening->id : 1ULL << 63 | place->netns;
	return tally_of_place(&key, place, here);
}

static __always_inline int on_unreached(struct sk_buff *skb, __u32 reason)
{
	struct place_listeners *listening;
	struct syn_packet syn = {};
	struct place place = {};
	struct drop_event *e;
	enum route route;
	struct tally *t;
	bool here;

	read_syn(skb, &syn);
	if (!syn.family)
		return 0;
	route = route_of(skb);
	if (route == ROUTE_ELSEWHERE)
		return 0;
	place.netns = netns_of_packet(skb);
	place.port = syn.dport;
	place.family = syn.family;
	__builtin_memcpy(place.addr, syn.to, sizeof(place.addr));
	here = route == ROUTE_HERE || is_loopback(&place);
	listening = listeners_at(&place);
	if (!listening || !listening->many)
		return 0;
	here |= !is_any(&place);
	t = tally_of_unreached(&place, listening, reason, here);
	if (!t)
		return 0;
	e = tally_record(t, EVENT_SYN_DROP, sizeof(*e));
	if (e) {
		put_packet(&e->e, &syn, here);
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
