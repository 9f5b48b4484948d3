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

#define MAX_FLOWS 65536
#define TURN_TOLD_EVERY 1000000000ULL /* a turn that goes on is told once a second */
#define PART_TOLD_EVERY 1000000ULL    /* further parts that are acknowledged within their calls are told together */
#define PARTS_TOLD 8

/* What is known of the bytes of one connection. */
struct flow {
	__u64 in_pos;	 /* payload bytes that the application has read */
	__u64 out_pos;	 /* that it has written */
	__u64 readable;	 /* since when unread bytes are there; 0: none are */
	__u64 told;	 /* when the turn was last written */
	__u64 probed;	 /* the last segment came in */
	__u64 hold;	 /* written bytes are not sent: since when that was not looked at; 0: all are */
	__u64 ready_pos; /* up to which bytes were told as readable */
	__u32 out_end;	 /* sequence number behind what was written */
	__u32 in_end;	 /* behind what was read */
	__u32 netns;
	__u8 known_in;
	__u8 known_out;
	__u8 detail; /* user space wants each call */
	__u8 parts;  /* of the turn, acknowledged within their calls */
	__u8 pad[4];
	struct serving serving;
	struct turn_event turn;	  /* the present one, as it will be written */
	__u8 slack[2 * HEAD_LEN]; /* behind the head: so far the verifier thinks that a copy may reach */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct flow);
} flows SEC(".maps");

#include "hold.bpf.h"

/* An empty flow: it is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} no_flow SEC(".maps");

static __always_inline struct flow *flow_of(struct sock *sk)
{
	__u64 key = (__u64)sk;
	return bpf_map_lookup_elem(&flows, &key);
}

/* The flow of a watched connection, made at its first bytes; NULL for any other socket. */
static __always_inline struct flow *flow_get(struct sock *sk, struct sock_info *info)
{
	__u64 key = (__u64)sk;
	struct flow *flow;
	__u32 zero = 0;

	if (!info || !info->watched || !info->id || info->role == ROLE_LISTENER)
		return 0;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (flow)
		return flow;
	flow = bpf_map_lookup_elem(&no_flow, &zero);
	if (!flow)
		return 0;
	bpf_map_update_elem(&flows, &key, flow, BPF_NOEXIST); /* another CPU may be faster */
	flow = bpf_map_lookup_elem(&flows, &key);
	if (flow)
		flow->netns = netns_of(sk);
	else
		count_lost(LOST_MAP);
	return flow;
}

/* Writes the present turn. */
static __always_inline void tell_turn(struct sock *sk, struct flow *flow)
{
	struct turn_event *e;
	struct sock_info *info = info_of(sk);
	__u64 now = bpf_ktime_get_ns();

	flow->told = now;
	if (!info || !flow->turn.dir)
		return;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost(LOST_RING);
		return;
	}
	__builtin_memcpy(e, &flow->turn, sizeof(*e));
	e->e.kind = EVENT_TURN;
	e->e.ts = now;
	e->e.cpu = bpf_get_smp_processor_id();
	e->e.conn = info->id;
	e->e.role = info->role;
	e->e.netns = flow->netns;
	event_send(e);
	flow->turn.head_len = 0; /* it is told once */
}

/* Writes a turn that is over, unless all has been told. */
static __always_inline void finish_turn(struct sock *sk, struct flow *flow)
{
	if (flow->turn.dir && !flow->turn.acked)
		tell_turn(sk, flow);
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
static __always_inline void begin_turn(struct flow *flow, __u8 dir, __u64 pos, struct user_call *c)
{
	struct turn_event *t = &flow->turn;
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid(), moved = 0;

	t->e.has = HAS_OWNER;
	t->e.pid = id >> 32;
	t->e.tid = (__u32)id;
	bpf_probe_read_kernel(t->e.comm, sizeof(t->e.comm), &BPF_CORE_READ(task, group_leader)->comm);
	t->pos = pos;
	t->dir = dir;
	t->calls = 0;
	t->head_len = 0;
	t->readable = t->sent = t->acked = 0;
	t->running = t->runqueue = t->other = 0;
	if (dir == TURN_IN)
		t->nagle = t->window = 0; /* of the last turn out */
	t->nr = c->nr;
	t->fd = c->fd;
	t->e.has |= has_call(c);
	t->waking = t->runnable = t->oncpu = 0;
	thread_moments(&t->waking, &t->runnable, &t->oncpu, &moved);
	if (dir == TURN_IN)
		t->other = moved;
	t->first = bpf_ktime_get_ns();
	flow->told = t->first;
}

/* Bytes of this direction moved up to pos. */
static __always_inline void take_bytes(struct flow *flow, __u64 before, __u64 pos, __u64 moved, struct user_call *c)
{
	struct turn_event *t = &flow->turn;

	if (pos - before == moved) /* else the buffer holds only the last of these bytes */
		copy_head(t, c, before, moved);
	t->bytes = pos - t->pos;
	t->calls += 1;
	t->last = t->calls == 1 ? t->first : bpf_ktime_get_ns();
	t->last_tid = (__u32)bpf_get_current_pid_tgid();
}

/* Where the bytes begin that are ours to tell, when the first call is seen: before that nobody watched. */
static __always_inline __u64 first_pos(struct sock_info *info, __u64 pos, __u64 moved)
{
	if (data_since && info->place.at.established > data_since)
		return 0;
	return pos > moved ? pos - moved : 0;
}

/* Whether user space wants each call of the connection: asked for when its turns do not tell enough. */
static __always_inline bool in_detail(struct sock *sk, struct flow *flow, struct sock_info *info)
{
	if (!details_on || !bpf_map_lookup_elem(&details, &info->id))
		return false;
	if (flow->turn.dir && !flow->detail)
		tell_turn(sk, flow); /* what came before the first of them */
	flow->detail = 1;
	return true;
}

/* Tells of one call, and before it of bytes that no call was seen to move. */
static __always_inline void tell_call(struct sock_info *info, struct flow *flow, struct bytes *b, __u64 moved,
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

/* A call ended that may have moved bytes to the application. */
static __always_inline int bytes_in(struct sock *sk, __u64 moved, bool typed, bool modern)
{
	struct place_in_stream p = {}, q = {};
	struct user_call c = {};
	struct sock_info *info = info_of(sk);
	struct flow *flow = flow_get(sk, info);
	struct bytes b = {.kind = EVENT_READ};

	if (!flow || !info)
		return 0;
	read_place(sk, &p, typed);
	if (!flow->known_in) {
		look_at_call(&c, sk, false, modern);
		if (c.peeks)
			return 0;
		read_place(sk, &q, typed);
		if (q.in < p.in) /* a segment came in between two of the numbers */
			p = q;
		flow->known_in = 1;
		flow->in_pos = first_pos(info, p.in, moved);
		flow->in_end = p.copied - (__u32)(p.in - flow->in_pos);
	}
	p.in = exact_pos(p.in, p.copied, flow->in_pos, flow->in_end);
	b.pos = flow->in_pos;
	if (p.in <= b.pos)
		return 0;
	look_at_call(&c, sk, false, modern);
	b.detail = in_detail(sk, flow, info);
	if (flow->turn.dir != TURN_IN) {
		finish_turn(sk, flow);
		begin_turn(flow, TURN_IN, b.pos, &c);
		flow->turn.readable = flow->readable;
	}
	if (emit_read || b.detail) {
		b.n = p.in - b.pos;
		b.unread = p.unread;
		b.readable = flow->readable;
		tell_call(info, flow, &b, moved, &c);
	}
	take_bytes(flow, flow->in_pos, p.in, moved, &c);
	if (info->role == ROLE_SERVER)
		thread_takes(&flow->serving, info->id, flow->turn.last);
	flow->in_pos = p.in;
	flow->in_end = p.copied;
	if (!p.unread)
		flow->readable = 0;
	return 0;
}

/* A call ended that may have moved bytes from the application. */
static __always_inline int bytes_out(struct sock *sk, __u64 moved, bool typed, bool modern)
{
	struct place_in_stream p = {};
	struct user_call c = {};
	struct sock_info *info = info_of(sk);
	struct flow *flow = flow_get(sk, info);
	struct bytes b = {.kind = EVENT_WRITE};
	struct turn_event *t;
	__u64 told;
	bool answers = false;

	if (!flow || !info)
		return 0;
	read_place(sk, &p, typed);
	if (!flow->known_out) {
		flow->known_out = 1;
		flow->out_pos = first_pos(info, p.out, moved);
		flow->out_end = p.write_seq - (__u32)(p.out - flow->out_pos);
	}
	p.out = exact_pos(p.out, p.write_seq, flow->out_pos, flow->out_end);
	b.pos = flow->out_pos;
	if (p.out <= b.pos)
		return 0;
	look_at_call(&c, sk, true, modern);
	b.detail = in_detail(sk, flow, info);
	t = &flow->turn;
	told = flow->told;
	if (t->dir != TURN_OUT || t->acked) { /* what comes after all was acknowledged is told by itself */
		finish_turn(sk, flow);
		answers = t->dir != TURN_OUT;
		begin_turn(flow, TURN_OUT, b.pos, &c);
		if (answers && info->role == ROLE_SERVER)
			thread_answers(&flow->serving, info->id, t);
	}
	if (emit_write || b.detail) {
		b.n = p.out - b.pos;
		b.sent = p.snd_nxt == p.write_seq ? bpf_ktime_get_ns() : 0;
		tell_call(info, flow, &b, moved, &c);
	}
	take_bytes(flow, flow->out_pos, p.out, moved, &c);
	flow->out_pos = p.out;
	flow->out_end = p.write_seq;
	t->acked = 0;
	t->sent = p.snd_nxt == p.write_seq ? t->last : 0;
	begin_hold(flow, !t->sent);
	if (answers)
		flow->parts = 0;
	if (p.snd_una == p.write_seq && (flow->parts < PARTS_TOLD || t->last - told > PART_TOLD_EVERY)) {
		flow->parts += flow->parts < PARTS_TOLD;
		t->acked = t->last; /* at the latest: within the call */
		tell_turn(sk, flow);
		t->nagle = t->window = 0;
	} else if (t->last - flow->told > TURN_TOLD_EVERY) {
		tell_turn(sk, flow);
	}
	return 0;
}

/* Bytes came that the application may read. */
static __always_inline int bytes_ready(struct sock *sk, bool typed)
{
	struct place_in_stream p = {};
	struct sock_info *info = info_of(sk);
	struct flow *flow;

	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return 0;
	flow = flow_get(sk, info);
	if (!flow || !info || (flow->readable && !emit_readable))
		return 0;
	read_place(sk, &p, typed);
	if (!p.unread)
		return 0;
	if (!flow->readable)
		flow->readable = bpf_ktime_get_ns();
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
	__u64 now;
	__u32 ack;

	if (!flow)
		return 0;
	look_at_hold(sk, flow, typed);
	t = &flow->turn;
	if (t->dir != TURN_OUT || t->acked)
		return 0;
	now = bpf_ktime_get_ns();
	if (!t->sent && (__s32)(BPF_CORE_READ((struct tcp_sock *)sk, snd_nxt) - flow->out_end) >= 0)
		t->sent = flow->probed > t->last ? flow->probed : t->last; /* the segment before this one let it go */
	flow->probed = now;
	th = (struct tcphdr_seq *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header));
	if (bpf_probe_read_kernel(&ack, sizeof(ack), &th->ack_seq))
		return 0;
	if (t->sent && (__s32)(bpf_ntohl(ack) - flow->out_end) >= 0)
		t->acked = now;
	else if (!flow->hold || now - flow->told < TURN_TOLD_EVERY)
		return 0;
	tell_turn(sk, flow);
	if (t->acked)
		t->nagle = t->window = 0;
	return 0;
}

/* The connection ends: what was not told is. */
static __always_inline void end_flow(struct sock *sk)
{
	struct sock_info *info = info_of(sk);
	struct flow *flow = flow_of(sk);
	__u64 key = (__u64)sk;

	if (!flow)
		return;
	finish_turn(sk, flow);
	thread_loses(&flow->serving, info ? info->id : 0);
	bpf_map_delete_elem(&flows, &key);
}

#endif
