/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Why bytes that were written are not sent. It is looked at only while some are not: when a call leaves them, and at each
 * segment that comes in, before it is handled.
 */
#ifndef BELTRACE_HOLD_BPF_H
#define BELTRACE_HOLD_BPF_H

#include "place.bpf.h"
#include "turn.bpf.h"

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
	__u32 next, unsent, acked, segment;
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
	acked = BPF_CORE_READ(tp, snd_una);
	segment = BPF_CORE_READ(tp, mss_cache);
	if (unsent < segment)
		segment = unsent;
	if ((__s32)(acked + BPF_CORE_READ(tp, snd_wnd) - next - segment) < 0)
		flow->window += now - flow->hold; /* as tcp_snd_wnd_test decides */
	else if (segment < BPF_CORE_READ(tp, mss_cache) && next != acked && !BPF_CORE_READ_BITFIELD_PROBED(tp, nonagle))
		flow->nagle += now - flow->hold; /* as tcp_nagle_check does */
	flow->hold = now;
}

/* Of a muted end a turn is what was held: it begins with the first byte that was not sent. */
static __always_inline void begin_held(struct flow *flow, struct place_in_stream *p)
{
	if (flow->nagle || flow->window) /* it is more of the same */
		return;
	flow->out.pos = p->out - (__u32)(p->write_seq - p->snd_nxt);
	flow->told = bpf_ktime_get_ns();
}

static __noinline void tell_held(struct sock *sk, struct flow *flow)
{
	struct place_in_stream p = {};

	read_place(sk, &p, false);
	flow->out.dir = TURN_OUT;
	flow->out.bytes = p.out - flow->out.pos;
	tell_turn(sk, flow, &flow->out, 0, 0);
	if (!flow->hold)
		flow->nagle = flow->window = 0;
}

/* A call of a muted end wrote. */
static __always_inline int muted_out(struct sock *sk, struct flow *flow, bool typed)
{
	struct place_in_stream p = {};

	read_place(sk, &p, typed);
	if (p.write_seq != p.snd_nxt && !flow->hold)
		begin_held(flow, &p);
	begin_hold(flow, p.write_seq != p.snd_nxt);
	return 0;
}

/* A segment came to a muted end, and look_at_hold has seen it. held: bytes were held before, too. */
static __always_inline int muted_segment(struct sock *sk, struct flow *flow, bool held, bool typed)
{
	struct place_in_stream p = {};

	if (flow->hold && !held) {
		read_place(sk, &p, typed);
		begin_held(flow, &p);
	}
	if ((flow->nagle || flow->window) && (!flow->hold || bpf_ktime_get_ns() - flow->told > TURN_TOLD_EVERY))
		tell_held(sk, flow);
	return 0;
}

#endif
