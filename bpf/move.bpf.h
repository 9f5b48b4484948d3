/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Single calls that move bytes, as records of their own: when somebody asks for them all, and for connections in detail,
 * whose turns do not tell where messages end. Those carry the first bytes of each call.
 */
#ifndef BELTRACE_MOVE_BPF_H
#define BELTRACE_MOVE_BPF_H

#include "call.bpf.h"
#include "serve.bpf.h"

#define MAX_DETAILS 1024
#define DETAIL_MASK (2 * DETAIL_LEN - 1)
#define MAX_BUFFERS 8 /* of one call that are looked at */

/* Connections in detail, by their number: user space adds them, the ones that were not used for longest go. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_DETAILS);
	__type(key, __u64);
	__type(value, __u8);
} details SEC(".maps");

/* A record with the bytes that follow it, which is as long as they need. */
struct detail {
	struct move_event m;
	__u8 head[4 * DETAIL_LEN]; /* so far the verifier thinks that a copy may reach */
	__u64 busy;		   /* another task's program on this CPU was interrupted in using it */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct detail);
} detail SEC(".maps");

/* When the current thread entered the function of TCP that moves bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} entered SEC(".maps");

/* Bytes of a connection. */
struct bytes {
	__u64 pos;
	__u64 n;
	__u64 readable;
	__u64 sent;
	__u32 unread;
	__u8 kind; /* enum event_kind */
	bool detail;
};

static __always_inline __u32 has_call(struct user_call *c)
{
	return (c->known ? HAS_CALL : 0) | (c->known && c->fd >= 0 ? HAS_FD : 0);
}

/* How long the current thread's call took; 0: its entry was not seen. */
static __always_inline __u64 latency_of_call(__u64 now)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *at = bpf_map_lookup_elem(&entered, &id);
	__u64 ns;

	if (!at)
		return 0;
	ns = now - *at;
	bpf_map_delete_elem(&entered, &id);
	return ns;
}

static __always_inline void fill_move(struct move_event *m, struct sock_info *info, __u32 netns, struct bytes *b,
				      struct user_call *c)
{
	__u64 moved;

	__builtin_memset(m, 0, sizeof(*m));
	m->e.ts = bpf_ktime_get_ns();
	m->e.kind = b->kind;
	m->e.cpu = bpf_get_smp_processor_id();
	m->e.conn = info->id;
	m->e.role = info->role;
	m->e.netns = netns;
	m->pos = b->pos;
	m->bytes = b->n;
	m->unread = b->unread;
	m->sent = b->sent;
	m->readable = b->readable;
	m->detail = b->detail;
	m->fd = -1;
	if (!c)
		return;
	put_current(&m->e);
	m->latency = latency_of_call(m->e.ts);
	m->nr = c->nr;
	m->fd = c->fd;
	m->e.has |= has_call(c);
	thread_moments(&m->waking, &m->runnable, &m->oncpu, &moved);
}

/* Copies the first of n bytes, from all the call's buffers. */
static __always_inline __u32 copy_detail(struct detail *d, struct user_call *c, __u64 n)
{
	struct user_iovec v = {c->buffer, c->length};
	__u64 at = 0, left = n < DETAIL_LEN ? n : DETAIL_LEN, len;

	for (int i = 0; i < MAX_BUFFERS; i++) {
		if (i &&
		    (!c->iov || i >= c->iovs || bpf_probe_read_user(&v, sizeof(v), (void *)(c->iov + i * sizeof(v)))))
			break;
		len = v.len < left ? v.len : left;
		barrier_var(len); /* or else the compiler, which knows, leaves out the bound that the verifier needs */
		len &= DETAIL_MASK;
		if (len && bpf_probe_read_user(d->head + (at & DETAIL_MASK), len, (void *)v.base))
			break;
		at += len;
		left -= len;
		FORGET(&at);
		FORGET(&left);
		at &= DETAIL_MASK;
		if (!left)
			break;
	}
	return at & DETAIL_MASK;
}

/* Writes the record of a connection in detail, with its bytes. False: it could not use the place for them. */
static __always_inline bool tell_detail(struct sock_info *info, __u32 netns, struct bytes *b, struct user_call *c)
{
	__u32 zero = 0, n;
	struct detail *d = bpf_map_lookup_elem(&detail, &zero);

	if (!d || d->busy)
		return false;
	d->busy = 1;
	fill_move(&d->m, info, netns, b, c);
	n = copy_detail(d, c, b->n);
	FORGET(&n);
	d->m.head_len = n;
	if (bpf_ringbuf_output(&events, d, sizeof(d->m) + (n & DETAIL_MASK), BPF_RB_NO_WAKEUP))
		count_lost(LOST_RING);
	d->busy = 0;
	return true;
}

/* Writes a record of bytes that a call moved; c: NULL where no call was seen. */
static __always_inline void tell_bytes(struct sock_info *info, __u32 netns, struct bytes *b, struct user_call *c)
{
	struct move_event *m;

	if (payload && b->detail && c && c->buffer && tell_detail(info, netns, b, c))
		return;
	m = bpf_ringbuf_reserve(&events, sizeof(*m), 0);
	if (!m) {
		count_lost(LOST_RING);
		return;
	}
	fill_move(m, info, netns, b, c);
	event_send(m);
}

/* Writes what has come since the last time, up to in + unread. */
static __always_inline void tell_ready(struct sock_info *info, __u32 netns, __u64 *told, __u64 in, __u32 unread)
{
	struct bytes b = {.kind = EVENT_READABLE, .unread = unread};
	__u64 behind = in + unread;

	b.pos = *told > in ? *told : in;
	if (behind <= b.pos)
		return;
	b.n = behind - b.pos;
	*told = behind;
	tell_bytes(info, netns, &b, 0);
}

/* A function of TCP that moves bytes was entered. */
static __always_inline int move_begins(struct sock *sk)
{
	__u64 id = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();
	struct sock_info *info = info_of(sk);

	if (info && info->watched)
		bpf_map_update_elem(&entered, &id, &now, BPF_ANY);
	return 0;
}

SEC("fentry/tcp_recvmsg")
int BPF_PROG(recv_begins_fentry, struct sock *sk)
{
	return move_begins(sk);
}

SEC("fentry/tcp_sendmsg")
int BPF_PROG(send_begins_fentry, struct sock *sk)
{
	return move_begins(sk);
}

SEC("kprobe/tcp_recvmsg")
int recv_begins_kprobe(struct pt_regs *ctx)
{
	return move_begins((struct sock *)REG_ARG1(ctx));
}

SEC("kprobe/tcp_sendmsg")
int send_begins_kprobe(struct pt_regs *ctx)
{
	return move_begins((struct sock *)REG_ARG1(ctx));
}

#endif
