/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Listeners by where they listen: for SYNs that reach none, and where nothing better says whose child a connection is. */
#ifndef BELTRACE_PLACES_BPF_H
#define BELTRACE_PLACES_BPF_H

#include "sock.bpf.h"

/* IPv4 is IPv4, an IPv6 socket's too. */
struct place {
	__u32 netns;
	__u16 port;
	__u8 family; /* 4, 6 */
	__u8 pad;
	__u64 addr[2]; /* IPv4: the first four bytes; 0: any */
};

struct place_listeners {
	__u64 id;   /* a number of its own */
	__u64 many; /* how many there are */
	__u64 sum;  /* of their addresses: that of the one, if there is one */
	__u64 last; /* address of the one that came last, or went last when there is none; 0: not known */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct place);
	__type(value, struct place_listeners);
} places SEC(".maps");

/* Where a socket is, as its local address says. */
static __always_inline void local_place(struct sock *sk, struct place *p)
{
	p->netns = netns_of(sk);
	p->port = local_port(sk);
	p->family = 4;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_INET6) {
		p->addr[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		return;
	}
	COPY_ADDR6(PROBED, p->addr, sk, __sk_common.skc_v6_rcv_saddr);
	if (!p->addr[0] && (__u32)p->addr[1] == bpf_htonl(0xffff)) { /* ::ffff:1.2.3.4 */
		p->addr[0] = p->addr[1] >> 32;
		p->addr[1] = 0;
	} else {
		p->family = 6;
	}
}

static __always_inline bool is_any(const struct place *p)
{
	return !p->addr[0] && !p->addr[1];
}

/* Whether a listener at this place is at any address of IPv4, too. */
static __always_inline bool takes_ipv4(struct sock *listener, const struct place *p)
{
	struct sock_common *common = &listener->__sk_common;

	return p->family == 6 && is_any(p) && !BPF_CORE_READ_BITFIELD_PROBED(common, skc_ipv6only);
}

static __always_inline void place_add(const struct place *p, __u64 listener)
{
	struct place_listeners *here = bpf_map_lookup_elem(&places, p),
			       one = {.many = 1, .sum = listener, .last = listener};

	if (here) {
		here->last = listener;
		__sync_fetch_and_add(&here->sum, listener);
		__sync_fetch_and_add(&here->many, 1);
	} else {
		one.id = own_id(OWN_CALL);
		bpf_map_update_elem(&places, p, &one, BPF_ANY);
	}
}

static __always_inline void place_take(const struct place *p, __u64 listener)
{
	struct place_listeners *here = bpf_map_lookup_elem(&places, p);

	if (!here || !here->many)
		return;
	__sync_fetch_and_add(&here->sum, -listener);
	__sync_fetch_and_add(&here->many, -1);
	if (!here->many)
		here->last = listener;
	else if (here->last == listener)
		here->last = 0;
}

static __always_inline void place_join(struct sock *listener)
{
	struct place place = {};

	local_place(listener, &place);
	place_add(&place, (__u64)listener);
	if (takes_ipv4(listener, &place)) {
		place.family = 4;
		place_add(&place, (__u64)listener);
	}
}

static __always_inline void place_leave(struct sock *listener)
{
	struct place place = {};

	local_place(listener, &place);
	place_take(&place, (__u64)listener);
	if (takes_ipv4(listener, &place)) {
		place.family = 4;
		place_take(&place, (__u64)listener);
	}
}

/* Who takes what is sent to a place: those who listen at the very address, or else at any; place becomes theirs. */
static __always_inline struct place_listeners *listeners_at(struct place *place)
{
	struct place_listeners *here = bpf_map_lookup_elem(&places, place), *any;

	if (here && here->many)
		return here;
	place->addr[0] = place->addr[1] = 0;
	any = bpf_map_lookup_elem(&places, place);
	return any && (any->many || !here) ? any : here;
}

/* The only one of them, or the last that is known. */
static __always_inline __u64 one_of(const struct place_listeners *here)
{
	return here->many == 1 ? here->sum : here->last;
}

#endif
