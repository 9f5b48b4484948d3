/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* How far the two streams of a socket are, in payload bytes. */
#ifndef BELTRACE_PLACE_BPF_H
#define BELTRACE_PLACE_BPF_H

#include "helpers.bpf.h"

/*
 * Payload bytes received: bytes_received counts the FIN as one (tcp_rcv_nxt_update with its end_seq), and tcp_fin()
 * sets SOCK_DONE.
 */
static __always_inline __u64 payload_in(struct tcp_sock *tcp)
{
	__u64 n = tcp->bytes_received;
	return n - (n && (((struct sock *)tcp)->__sk_common.skc_flags >> SOCK_DONE_BIT & 1));
}

/* Payload bytes sent, each once (bytes_sent counts retransmissions again; 4.19+). */
static __always_inline __u64 payload_out(struct tcp_sock *tcp)
{
	return tcp->bytes_sent - tcp->bytes_retrans;
}

/* The positions of a socket. */
struct place_in_stream {
	__u64 in;     /* payload bytes read by the application */
	__u64 out;    /* written by it */
	__u32 unread; /* bytes that wait for it */
	__u32 copied; /* sequence number behind what was read, without the FIN */
	__u32 write_seq;
	__u32 snd_nxt;
	__u32 snd_una;
};

/* tcp_sock's bytes_received counts the FIN, and so does copied_seq once it was read. */
static __always_inline void read_place(struct sock *sk, struct place_in_stream *p, bool typed)
{
	__u32 rcv_nxt, copied;
	__u64 received, sent;
	bool fin = BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE_BIT & 1;

	if (typed) {
		struct tcp_sock *tp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);

		if (!tp)
			return;
		rcv_nxt = tp->rcv_nxt;
		copied = tp->copied_seq;
		received = tp->bytes_received;
		sent = tp->bytes_sent - tp->bytes_retrans;
		p->write_seq = tp->write_seq;
		p->snd_nxt = tp->snd_nxt;
		p->snd_una = tp->snd_una;
	} else {
		struct tcp_sock *tp = (struct tcp_sock *)sk;

		rcv_nxt = BPF_CORE_READ(tp, rcv_nxt);
		copied = BPF_CORE_READ(tp, copied_seq);
		received = BPF_CORE_READ(tp, bytes_received);
		sent = BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans);
		p->write_seq = BPF_CORE_READ(tp, write_seq);
		p->snd_nxt = BPF_CORE_READ(tp, snd_nxt);
		p->snd_una = BPF_CORE_READ(tp, snd_una);
	}
	p->unread = rcv_nxt - copied;
	p->copied = copied - (fin && received && !p->unread);
	p->in = received - p->unread;
	if (fin && received && p->unread)
		p->unread -= 1;
	else if (fin && received)
		p->in -= 1;
	p->out = sent + (__u32)(p->write_seq - p->snd_nxt);
}

/*
 * The position that belongs to a sequence number, when that of another is known. about is what read_place made of sums that
 * the kernel may just be changing on another CPU (a segment came in, one is sent again): it only tells the times that 32 bits
 * have wrapped.
 */
static __always_inline __u64 exact_pos(__u64 about, __u32 seq, __u64 known_pos, __u32 known_seq)
{
	__u64 pos = known_pos + (__s64)(__s32)(seq - known_seq);

	return pos + ((about - pos + (1ULL << 31)) & ~0xffffffffULL);
}

#endif
