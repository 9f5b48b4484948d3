/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The client's end of a connection whose server's end is watched on the same host: that one tells the same turns, so that
 * those of the client would be thrown away (collector.speaker). Of the client's bytes only what held them is told.
 */
#ifndef BELTRACE_MUTE_BPF_H
#define BELTRACE_MUTE_BPF_H

#include "places.bpf.h"

enum mute {
	MUTE_UNKNOWN,
	MUTE_NO,
	MUTED,
	MUTED_FLOW, /* and its flow is there: what comes in is nothing to it */
};

/* The two addresses of a socket; IPv4: the first four bytes. */
struct ends {
	__u64 local[2];
	__u64 remote[2];
	__u8 family; /* 4, 6, 0: none */
};

static __always_inline void read_ends(struct sock *sk, struct ends *e)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_INET) {
		e->family = 4;
		*(__be32 *)e->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)e->remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else if (family == AF_INET6) {
		e->family = 6;
		COPY_ADDR6(PROBED, e->local, sk, __sk_common.skc_v6_rcv_saddr);
		COPY_ADDR6(PROBED, e->remote, sk, __sk_common.skc_v6_daddr);
	}
}

/* Whether the peer is on this host: at a loopback address, or at the very one that is ours, as from ::1 to ::1. */
static __always_inline bool peer_is_here(const struct ends *e)
{
	if (e->family == 4 && *(const __u8 *)e->remote == 127)
		return true;
	return e->family && e->local[0] == e->remote[0] && e->local[1] == e->remote[1];
}

/* Whether a client's turns are not told: its server's end is here, and watched. Never wider than collector.speaker. */
static __noinline __u8 mute_of(struct sock *sk)
{
	struct ends e = {};
	struct place place = {.netns = netns_of(sk), .port = remote_port(sk)};
	struct place_listeners *here;
	struct sock_info *listener;

	read_ends(sk, &e);
	if (!peer_is_here(&e))
		return MUTE_NO;
	place.family = e.family;
	place.addr[0] = e.remote[0];
	place.addr[1] = e.remote[1];
	here = listeners_at(&place);
	if (!here || !here->many)
		return MUTE_NO;
	listener = listener_info(one_of(here));
	return listener && !listener->ended && listener->watched ? MUTED : MUTE_NO;
}

/* Decided at the connection's first bytes. */
static __always_inline bool is_muted(struct sock *sk, struct sock_info *info)
{
	if (both_ends || info->role != ROLE_CLIENT)
		return false;
	if (info->mute == MUTE_UNKNOWN)
		info->mute = mute_of(sk);
	return info->mute >= MUTED;
}

#endif
