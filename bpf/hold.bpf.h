/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Why bytes that were written are not sent. It is looked at only while some are not: when a call leaves them, and at each
 * segment that comes in, before it is handled.
 */
#ifndef BELTRACE_HOLD_BPF_H
#define BELTRACE_HOLD_BPF_H

#define TCP_CHRONO_RWND_LIMITED 2 /* enum tcp_chrono: the kernel's own account of what limits a sender */

/* A call ended: does it leave bytes that are not sent? */
static __always_inline void begin_hold(struct flow *flow, bool unsent)
{
	if (!unsent)
		flow->hold = 0;
	else if (!flow->hold)
		flow->hold = bpf_ktime_get_ns();
}

/*
 * Adds the time since the last look to what holds them. A call that waits for room has bytes in the socket before it
 * returns: they count for the turn that it begins.
 */
static __always_inline void look_at_hold(struct sock *sk, struct flow *flow, bool typed)
{
	struct tcp_sock *tp = typed ? (struct tcp_sock *)bpf_skc_to_tcp_sock(sk) : (struct tcp_sock *)sk;
	__u32 next, unsent;
	__u64 now;

	if (!tp)
		return;
	next = MEMBER(typed ? TYPED : PROBED, tp, snd_nxt);
	unsent = MEMBER(typed ? TYPED : PROBED, tp, write_seq) - next;
	if (!unsent || unsent >> 31) {
		flow->hold = 0;
		return;
	}
	now = bpf_ktime_get_ns();
	if (!flow->hold)
		flow->hold = now;
	if (BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type) == TCP_CHRONO_RWND_LIMITED)
		flow->turn.window += now - flow->hold;
	else if (!BPF_CORE_READ_BITFIELD_PROBED(tp, nonagle) && unsent < BPF_CORE_READ(tp, mss_cache) &&
		 next != BPF_CORE_READ(tp, snd_una))
		flow->turn.nagle += now - flow->hold; /* as tcp_nagle_check decides */
	flow->hold = now;
}

#endif
