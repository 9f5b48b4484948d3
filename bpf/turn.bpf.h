/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Turns: what one side says before the other one answers. A turn is one record. */
#ifndef BELTRACE_TURN_BPF_H
#define BELTRACE_TURN_BPF_H

#include "move.bpf.h"
#include "sample.bpf.h"

#define TURN_TOLD_EVERY 1000000000ULL /* a turn that goes on is told once a second */

/*
 * Writes a turn; false: it was not. g: of its half, if somebody else may be writing it; then it may not be told. no: only the
 * turn of that number; 0: the present one.
 */
static __noinline bool tell_turn(struct sock *sk, struct flow *flow, struct turn_event *t, struct guard *g, __u32 no)
{
	struct turn_event *e;
	struct sock_info *info = info_of(sk);
	__u64 now = bpf_ktime_get_ns(), acked;
	__u32 done = 0, end;

	flow->told = now;
	if (!info || !t->dir)
		return false;
	look_at_room(now);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost(LOST_RING);
		return false;
	}
	if (g)
		done = READ_NOW(g->done);
	if (g && READ_NOW(g->busy)) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return false;
	}
	__builtin_memcpy(e, t, sizeof(*e));
	if (e->dir == TURN_OUT) {
		e->acked = acked_at(flow);
		if (!e->sent && flow->sent_end == flow->out_end)
			e->sent = flow->sent;
		e->nagle = flow->nagle;
		e->window = flow->window;
	}
	acked = e->acked;
	end = flow->out_end;
	if ((g && (READ_NOW(g->busy) || READ_NOW(g->done) != done)) || (no && e->no != no)) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return false;
	}
	e->e.kind = EVENT_TURN;
	e->e.cpu = bpf_get_smp_processor_id();
	e->e.conn = info->id;
	e->e.role = info->role;
	e->e.netns = flow->netns;
	e->e.ts = bpf_ktime_get_ns();
	event_send(e);
	if (acked && t == &flow->out) {
		flow->told_end = end;
		flow->nagle = flow->window = 0;
	}
	return true;
}

/* The turn in of this number is over. While that is noted, the next one may begin. */
static __always_inline void finish_in(struct sock *sk, struct flow *flow, struct guard *g, __u32 no)
{
	if ((__s32)(READ_NOW(flow->in_told) - no) < 0 && tell_turn(sk, flow, &flow->in, g, no))
		WRITE_NOW(flow->in_told, no);
}

/* The turn out of this number is over, and what it answers was told. What was told when it was acknowledged is not told again. */
static __always_inline void finish_out(struct sock *sk, struct flow *flow, struct guard *g, __u32 no)
{
	if ((__s32)(READ_NOW(flow->out_told) - no) < 0 && (told_acked(flow) || tell_turn(sk, flow, &flow->out, g, no)))
		WRITE_NOW(flow->out_told, no);
}

/* Tells the turn out as far as it is: after the one that it answers, which cannot be told while a program reads. */
static __always_inline void tell_out(struct sock *sk, struct flow *flow)
{
	__u32 answers = flow->out_no;

	finish_in(sk, flow, &flow->in_guard, answers);
	if ((__s32)(READ_NOW(flow->in_told) - answers) >= 0)
		tell_turn(sk, flow, &flow->out, &flow->out_guard, 0);
}

/* Adds to the head of the turn what a call moved, as long as the head has room and no gap. */
static __always_inline void copy_head(struct turn_event *t, struct user_call *c, __u64 pos, __u64 n)
{
	__u32 at = t->head_len, room;

	if (!payload || !c->buffer || pos != t->pos + at || at >= HEAD_LEN)
		return;
	room = HEAD_LEN - at;
	if (n > c->length)
		n = c->length;
	if (n > room)
		n = room;
	if (!n || n > HEAD_LEN)
		return;
	if (bpf_probe_read_user(t->head + (at & (HEAD_LEN - 1)), n & (2 * HEAD_LEN - 1), (void *)c->buffer))
		return;
	t->head_len = at + n;
}

/* A turn begins with the current thread's call. */
static __always_inline void begin_turn(struct turn_event *t, __u8 dir, __u64 pos, struct user_call *c)
{
	__u64 moved = 0;

	t->no += 1;
	t->e.has = 0;
	put_current(&t->e);
	t->pos = pos;
	t->dir = dir;
	t->calls = 0;
	t->head_len = 0;
	t->readable = t->sent = t->acked = 0;
	t->running = t->runqueue = t->other = 0;
	t->nr = c->nr;
	t->fd = c->fd;
	t->e.has |= has_call(c);
	t->waking = t->runnable = t->oncpu = 0;
	thread_moments(&t->waking, &t->runnable, &t->oncpu, &moved);
	if (dir == TURN_IN)
		t->other = moved;
	t->first = bpf_ktime_get_ns();
}

/* Bytes of this direction moved up to pos, and the call that is looked at moved so many of them. */
static __always_inline void take_bytes(struct turn_event *t, __u64 before, __u64 pos, __u64 moved, struct user_call *c)
{
	if (pos - before == moved) /* else the buffer holds only the last of these bytes */
		copy_head(t, c, before, moved);
	t->bytes = pos - t->pos;
	t->calls += 1;
	t->last = t->calls == 1 ? t->first : bpf_ktime_get_ns();
	t->last_tid = (__u32)bpf_get_current_pid_tgid();
}

#endif
