/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What is read from a segment. Its headers are in the linear part: the kernel pulled them before it looked. */
#ifndef BELTRACE_PACKET_BPF_H
#define BELTRACE_PACKET_BPF_H

static __always_inline bool is_ipv4(struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IP);
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

#endif
