/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What is read from a segment. Its headers are in the linear part: the kernel pulled them before it looked. */
#ifndef BELTRACE_PACKET_BPF_H
#define BELTRACE_PACKET_BPF_H

#include "compat.bpf.h"
#include "event.h"

static __always_inline bool is_ipv4(struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IP);
}

enum route { ROUTE_UNKNOWN, ROUTE_HERE, ROUTE_ELSEWHERE };

#define DST_METADATA 0x80 /* of a tunnel: no route */
#define RTN_LOCAL 2

/*
 * Where a packet is on its way to. It has no route before one is looked for, and none any more where a device does not need it;
 * a client's that lost its route so was leaving.
 */
static __always_inline enum route route_of(struct sk_buff *skb)
{
	struct dst_entry *dst = (struct dst_entry *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);
	struct sock *sk = BPF_CORE_READ(skb, sk);
	bool here;

	if (!dst || BPF_CORE_READ(dst, flags) & DST_METADATA)
		return sk && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_SYN_SENT ? ROUTE_ELSEWHERE : ROUTE_UNKNOWN;
	here = is_ipv4(skb) ? BPF_CORE_READ((struct rtable *)dst, rt_type) == RTN_LOCAL : route6_ends_here(dst);
	return here ? ROUTE_HERE : ROUTE_ELSEWHERE;
}

/* The sender, in the form that the event's family asks for. */
static __always_inline void put_sender(struct event *e, struct sk_buff *skb)
{
	unsigned char *head = BPF_CORE_READ(skb, head);
	unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	unsigned char *tcp = head + BPF_CORE_READ(skb, transport_header);
	__be16 port = 0;

	if (!e->family)
		return;
	if (is_ipv4(skb) && e->family == 6) { /* an IPv4 client of an IPv6 listener */
		e->raddr[10] = e->raddr[11] = 0xff;
		bpf_probe_read_kernel(&e->raddr[12], 4, ip + 12);
	} else if (is_ipv4(skb)) {
		bpf_probe_read_kernel(e->raddr, 4, ip + 12);
	} else {
		bpf_probe_read_kernel(e->raddr, 16, ip + 8);
	}
	bpf_probe_read_kernel(&port, sizeof(port), tcp);
	e->rport = bpf_ntohs(port);
	if (e->rport)
		e->has |= HAS_REMOTE;
}

/* A SYN, as its headers say; family 0: the segment is none. */
struct syn_packet {
	__u8 family;
	__u8 pad;
	__u16 sport;
	__u16 dport;
	__u16 pad2;
	__u8 from[16];
	__u8 to[16];
};

struct ip_header {
	__u8 version_length;
	__u8 pad[8];
	__u8 protocol;
	__u16 sum;
	__u8 from[4];
	__u8 to[4];
};

struct ip6_header {
	__u8 pad[6];
	__u8 next;
	__u8 hops;
	__u8 from[16];
	__u8 to[16];
};

struct tcp_header {
	__be16 source;
	__be16 dest;
	__u8 numbers[8];
	__u8 offset;
	__u8 flags;
};

#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_ACK 0x10

/* Wherever it was dropped: the transport header may not have been looked for yet. Extension headers are not followed. */
static __always_inline void read_syn(struct sk_buff *skb, struct syn_packet *syn)
{
	unsigned char *ip = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	__be16 protocol = BPF_CORE_READ(skb, protocol);
	struct tcp_header tcp = {};
	__u32 length = 0;

	if (protocol == bpf_htons(ETH_P_IP)) {
		struct ip_header h = {};

		bpf_probe_read_kernel(&h, sizeof(h), ip);
		if (h.protocol != IPPROTO_TCP)
			return;
		length = (h.version_length & 15) * 4;
		__builtin_memcpy(syn->from, h.from, 4);
		__builtin_memcpy(syn->to, h.to, 4);
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct ip6_header h = {};

		bpf_probe_read_kernel(&h, sizeof(h), ip);
		if (h.next != IPPROTO_TCP)
			return;
		length = sizeof(h);
		__builtin_memcpy(syn->from, h.from, 16);
		__builtin_memcpy(syn->to, h.to, 16);
	} else {
		return;
	}
	bpf_probe_read_kernel(&tcp, sizeof(tcp), ip + length);
	if ((tcp.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) != TCP_FLAG_SYN)
		return;
	syn->sport = bpf_ntohs(tcp.source);
	syn->dport = bpf_ntohs(tcp.dest);
	syn->family = protocol == bpf_htons(ETH_P_IP) ? 4 : 6;
}

#endif
