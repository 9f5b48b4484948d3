/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Bytes on their way to and from the application, by their position in the stream: which call moved them, and in how many,
 * does not matter. What one side says before the other one answers is a turn; a turn is one record.
 *
 * All is told by positions: a call that peeks moves none, and bytes that left by a way that no hook sees (splice) show at
 * the next call.
 */
#ifndef BELTRACE_IO_BPF_H
#define BELTRACE_IO_BPF_H

#include "request.bpf.h"
#include "newflow.bpf.h"
#include "hold.bpf.h"

#define PART_TOLD_EVERY 1000000ULL /* further parts that are acknowledged within their calls are told together */
#define PARTS_TOLD 8

/* Where the bytes begin that are ours to tell, when the first call is seen: before that nobody watched. */
static __always_inline __u64 first_pos(struct sock_info *info, __u64 pos, __u64 moved)
{
	if (data_since && !info->skips && info->place.at.established > data_since)
		return 0;
	return pos > moved ? pos - moved : 0;
}

/* Whether user space wants each call of the connection: asked for when its turns do not tell enough. */
static __always_inline bool in_detail(struct sock *sk, struct flow *flow, struct sock_info *info)
{
	if (!details_on || !bpf_map_lookup_elem(&details, &info->id))
		return false;
	if (!flow->detail) { /* what came before the first of them */
		if (flow->in_told != flow->in.no)
			tell_turn(sk, flow, &flow->in, &flow->in_guard, 0);
		if (flow->out_told != flow->out.no && !told_acked(flow))
			tell_turn(sk, flow, &flow->out, &flow->out_guard, 0);
	}
	flow->detail = 1;
	return true;
}

/* Tells of one call, and before it of bytes that no call was seen to move. */
static __noinline void tell_call(struct sock_info *info, struct flow *flow, struct bytes *b, __u64 moved,
				 struct user_call *c)
{
	__u64 behind = b->pos + b->n;

	if (moved && moved < b->n) {
		b->n -= moved;
		tell_bytes(info, flow->netns, b, 0);
		b->pos += b->n;
		b->n = behind - b->pos;
	}
	tell_bytes(info, flow->netns, b, c);
}

static __always_inline void the_call(struct user_call *c, struct sock *sk, bool out, bool modern)
{
	look_at_call(c, sk, out, modern);
	if (modern)
		FORGET(c);
}

/* The first call that is seen to read. False: it moves none. */
static __always_inline bool first_in(struct sock *sk, struct flow *flow, struct sock_info *info, struct user_call *c,
				     struct place_in_stream *p, __u64 moved, bool typed)
{
	struct place_in_stream q = {};

	if (c->peeks)
		return false;
	read_place(sk, &q, typed);
	if (q.in < p->in) /* a segment came in between two of the numbers */
		*p = q;
	flow->known_in = 1;
	flow->in_pos = first_pos(info, p->in, moved);
	flow->in_end = p->copied - (__u32)(p->in - flow->in_pos);
	return true;
}

/* A new turn in: whatever was written since the last call that read came before it. */
static __noinline void begin_in(struct sock *sk, struct flow *flow, __u32 write_seq, struct user_call *c)
{
	__u32 no;

	finish_in(sk, flow, 0, flow->in.no);
	no = flow->in_no + 1;
	flow->cuts[no & (MAX_CUTS - 1)] = write_seq;
	WRITE_NOW(flow->in_no, no);
	no = READ_NOW(flow->out.no);
	if (write_seq == READ_NOW(flow->out_end)) /* else its call is not through: that will tell it */
		finish_out(sk, flow, &flow->out_guard, no);
	begin_turn(&flow->in, TURN_IN, flow->in_pos, c);
	flow->in.readable = flow->readable;
}

/* All that came was read, unless more did just now. */
static __always_inline void all_read(struct sock *sk, struct flow *flow, struct place_in_stream *p, bool typed)
{
	flow->readable = 0;
	read_place(sk, p, typed);
	if (p->unread && !flow->readable)
		flow->readable = flow->came;
}

/* A call ended that may have moved bytes to the application. */
static __always_inline int bytes_in(struct sock *sk, __u64 moved, bool typed, bool modern)
{
	struct place_in_stream p = {};
	struct user_call c = {};
	struct sock_info *info = info_of(sk);
	struct bytes b = {.kind = EVENT_READ};
	struct flow *flow;
	__u64 behind;

	if (info && info->mute == MUTED_FLOW)
		return 0;
	flow = flow_get(sk, info);
	if (!flow && moved)
		count_skipped(info, TURN_IN);
	if (!flow || !info || flow->mute)
		return 0;
	if (!guard_enter(&flow->in_guard))
		return 0;
	the_call(&c, sk, false, modern);
	for (int i = 0; i < 2; i++) {
		read_place(sk, &p, typed);
		FORGET(&p);
		if (!flow->known_in && !first_in(sk, flow, info, &c, &p, moved, typed))
			break;
		behind = exact_pos(p.in, p.copied, flow->in_pos, flow->in_end);
		if (behind <= flow->in_pos)
			break;
		if (!i) {
			b.pos = flow->in_pos;
			b.detail = in_detail(sk, flow, info);
			b.readable = flow->readable;
		}
		if (!flow->in.dir || p.write_seq != flow->in_out)
			begin_in(sk, flow, p.write_seq, &c);
		flow->in_out = p.write_seq;
		b.unread = p.unread;
		take_bytes(&flow->in, flow->in_pos, behind, moved, &c);
		b.n += behind - flow->in_pos;
		flow->in_pos = behind;
		flow->in_end = p.copied;
		if (info->role == ROLE_SERVER)
			thread_takes(&flow->serving, info->id, flow->in.last, flow->in_no);
		if (!p.unread)
			all_read(sk, flow, &p, typed);
		if (!READ_NOW(flow->in_guard.left))
			break;
		WRITE_NOW(flow->in_guard.left, 0); /* what another call moved: its thread does not come again */
		c.buffer = 0;
	}
	guard_leave(&flow->in_guard);
	FORGET(&b);
	if (b.n && (emit_read || b.detail))
		tell_call(info, flow, &b, moved, &c);
	return 0;
}

/* Up to where written bytes belong to the same turn. A call may be through before the program of an earlier one has run. */
static __always_inline __u32 turn_ends(struct flow *flow, __u32 no, __u32 write_seq)
{
	__u32 cut = flow->cuts[(no + 1) & (MAX_CUTS - 1)];

	if (READ_NOW(flow->in_no) != no + 1 || (__s32)(cut - flow->out_end) <= 0 || (__s32)(write_seq - cut) <= 0)
		return write_seq;
	return cut;
}

/* A new turn out, unless all that there was of this one has been acknowledged: what comes then is told by itself. */
static __noinline void begin_out(struct sock *sk, struct flow *flow, struct sock_info *info, __u32 no,
				 struct user_call *c)
{
	bool answers = !flow->out.dir || no != flow->out_no;

	finish_out(sk, flow, 0, flow->out.no);
	if (no == READ_NOW(flow->in_no))
		finish_in(sk, flow, &flow->in_guard, no);
	begin_turn(&flow->out, TURN_OUT, flow->out_pos, c);
	flow->told = flow->out.first;
	flow->out_no = no;
	if (!answers)
		return;
	flow->parts = 0;
	if (info->role == ROLE_SERVER)
		thread_answers(&flow->serving, info->id, &flow->out, no);
}

/* After a call that wrote: tells the turn if it is over, or was acknowledged while no program could note it. */
static __always_inline void look_at_out(struct sock *sk, struct flow *flow, bool within, __u64 told)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 end = flow->out_end, no = READ_NOW(flow->out.no), una = BPF_CORE_READ((struct tcp_sock *)sk, snd_una);

	if (told_acked(flow))
		return;
	if ((__s32)(una - end) >= 0 && (flow->parts < PARTS_TOLD || now - told > PART_TOLD_EVERY)) {
		flow->parts += flow->parts < PARTS_TOLD;
		if (!acked_at(flow)) {
			flow->acked = within ? flow->out.last : now; /* at the latest */
			WRITE_NOW(flow->acked_end, end);
		}
		tell_out(sk, flow);
	} else if (now - flow->told > TURN_TOLD_EVERY) {
		tell_out(sk, flow);
	}
	if (READ_NOW(flow->in_no) != flow->out_no)
		finish_out(sk, flow, &flow->out_guard, no);
}

/* A call ended that may have moved bytes from the application. */
static __always_inline int bytes_out(struct sock *sk, __u64 moved, bool typed, bool modern)
{
	struct place_in_stream p = {};
	struct user_call c = {};
	struct sock_info *info = info_of(sk);
	struct flow *flow = flow_get(sk, info);
	struct bytes b = {.kind = EVENT_WRITE};
	__u64 told, all, n;
	__u32 no, end;

	if (!flow && moved)
		count_skipped(info, TURN_OUT);
	if (!flow || !info)
		return 0;
	if (flow->mute)
		return muted_out(sk, flow, typed);
	if (!guard_enter(&flow->out_guard))
		return 0;
	told = flow->told;
	read_place(sk, &p, typed);
	FORGET(&p);
	if (!flow->known_out) {
		flow->known_out = 1;
		flow->out_pos = first_pos(info, p.out, moved);
		flow->out_end = p.write_seq - (__u32)(p.out - flow->out_pos);
	}
	b.pos = flow->out_pos;
	b.sent = 0;
	the_call(&c, sk, true, modern);
	b.detail = in_detail(sk, flow, info);
	for (int i = 0; i < 2; i++) {
		all = exact_pos(p.out, p.write_seq, flow->out_pos, flow->out_end);
		if (all <= flow->out_pos)
			break;
		no = turn_at(flow, flow->out_end);
		end = turn_ends(flow, no, p.write_seq);
		n = end == p.write_seq ? all - flow->out_pos : end - flow->out_end;
		if (!flow->out.dir || no != flow->out_no || acked_at(flow))
			begin_out(sk, flow, info, no, &c);
		take_bytes(&flow->out, flow->out_pos, flow->out_pos + n, moved, &c);
		flow->out_pos += n;
		flow->out_end = end;
		flow->out.sent = (__s32)(p.snd_nxt - end) >= 0 ? flow->out.last : 0;
		if (n == moved && end != p.write_seq) /* the program of the call that wrote the rest comes, too */
			break;
		if (end != p.write_seq)
			continue;
		if (!READ_NOW(flow->out_guard.left))
			break;
		WRITE_NOW(flow->out_guard.left, 0);
		c.buffer = 0;
		read_place(sk, &p, typed);
		FORGET(&p);
	}
	b.n = flow->out_pos - b.pos;
	begin_hold(flow, !flow->out.sent);
	guard_leave(&flow->out_guard);
	if (!b.n)
		return 0;
	if (emit_write || b.detail) {
		b.sent = flow->out.sent ? bpf_ktime_get_ns() : 0;
		FORGET(&b);
		FORGET(&c);
		tell_call(info, flow, &b, moved, &c);
	}
	look_at_out(sk, flow, p.snd_una == flow->out_end, told);
	return 0;
}

/* Bytes came that the application may read. */
static __always_inline int bytes_ready(struct sock *sk, bool typed)
{
	struct place_in_stream p = {};
	struct sock_info *info = info_of(sk);
	struct flow *flow;

	if (!info || info->mute == MUTED_FLOW || BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return 0;
	flow = flow_get(sk, info);
	if (!flow || flow->mute)
		return 0;
	flow->came = bpf_ktime_get_ns();
	if (flow->readable && !emit_readable)
		return 0;
	read_place(sk, &p, typed);
	if (!p.unread)
		return 0;
	if (!flow->readable)
		flow->readable = flow->came;
	if (emit_readable)
		tell_ready(info, flow->netns, &flow->ready_pos, p.in, p.unread);
	return 0;
}

struct tcphdr_seq {
	__u16 source, dest;
	__be32 seq, ack_seq;
};

/* A segment came in: does it acknowledge the last byte that was written? Before it is handled. */
static __always_inline int segment_in(struct sock *sk, struct sk_buff *skb, bool typed)
{
	struct flow *flow = flow_of(sk);
	struct tcphdr_seq *th;
	struct turn_event *t;
	__u64 now, sent;
	__u32 ack, end;
	bool held;

	if (!flow)
		return 0;
	held = flow->hold;
	look_at_hold(sk, flow, typed);
	if (flow->mute)
		return muted_segment(sk, flow, held, typed);
	t = &flow->out;
	if (!t->dir || flow->out_told == t->no ||
	    READ_NOW(flow->out_guard.busy)) /* a call that is writing looks by itself */
		return 0;
	end = flow->out_end;
	if (acked_at(flow))
		return 0;
	now = bpf_ktime_get_ns();
	sent = t->sent ? t->sent : flow->sent_end == end ? flow->sent : 0;
	if (!sent && (__s32)(BPF_CORE_READ((struct tcp_sock *)sk, snd_nxt) - end) >= 0) {
		sent = flow->probed > t->last ? flow->probed : t->last; /* the segment before this one let it go */
		flow->sent = sent;
		WRITE_NOW(flow->sent_end, end);
	}
	flow->probed = now;
	th = (struct tcphdr_seq *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header));
	if (bpf_probe_read_kernel(&ack, sizeof(ack), &th->ack_seq))
		return 0;
	if (sent && (__s32)(bpf_ntohl(ack) - end) >= 0) {
		flow->acked = now;
		WRITE_NOW(flow->acked_end, end);
	} else if (!flow->hold || now - flow->told < TURN_TOLD_EVERY) {
		return 0;
	}
	tell_out(sk, flow);
	return 0;
}

/* The connection ends: what was not told is. Its calls' programs may come later, as of an answer that a RST met. */
static __always_inline void end_flow(struct sock *sk)
{
	struct sock_info *info = info_of(sk);
	struct flow *flow = flow_of(sk);

	if (!flow)
		return;
	if (flow->mute && (flow->nagle || flow->window)) {
		tell_held(sk, flow);
	} else if (!flow->mute) {
		finish_in(sk, flow, 0, flow->in.no);
		finish_out(sk, flow, 0, flow->out.no);
	}
	thread_loses(&flow->serving, info ? info->id : 0);
}

/* No call comes any more: the next connection in this memory begins anew. */
static __always_inline void forget_flow(struct sock *sk)
{
	struct sock_info *info = info_of(sk);
	struct flow *flow = flow_of(sk);
	__u64 key = (__u64)sk;

	if (!flow)
		return;
	thread_loses(&flow->serving, info ? info->id : 0);
	bpf_map_delete_elem(&flows, &key);
}

#endif
