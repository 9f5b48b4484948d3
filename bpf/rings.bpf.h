/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The rings of io_uring, and the sums of what their operations came to. */
#ifndef BELTRACE_RINGS_BPF_H
#define BELTRACE_RINGS_BPF_H

#include "sock.bpf.h"

#define MAX_RINGS 2048

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_RINGS);
	__type(key, __u64);
	__type(value, struct ring);
} rings SEC(".maps");

/* How many rings a process has made. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_RINGS);
	__type(key, __u32);
	__type(value, __u32);
} ring_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ring_op_key);
	__type(value, struct ring_op);
} ring_ops SEC(".maps");

/* Made at the first operation that is seen, and gone with the ring. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_RINGS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct ring_work);
} ring_works SEC(".maps");

struct ring_zero {
	struct ring ring;
	struct ring_work work;
	struct ring_op op;
};

/* Empty ones: they are too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ring_zero);
} no_ring SEC(".maps");

static __always_inline __u32 next_number(__u32 tgid)
{
	__u32 *n = bpf_map_lookup_elem(&ring_numbers, &tgid), one = 1;

	if (n)
		return *n += 1;
	bpf_map_update_elem(&ring_numbers, &tgid, &one, BPF_ANY);
	return 1;
}

#define KERNEL_HALF (1ULL << 63)

/* What is known of a ring whose memory is another one's now stays until it is read. */
static __always_inline void retire(__u64 address)
{
	struct ring *old = bpf_map_lookup_elem(&rings, &address);
	struct ring_work *w = bpf_map_lookup_elem(&ring_works, &address);
	__u64 id;

	if (!old)
		return;
	id = old->id;
	if (w) {
		bpf_map_update_elem(&rings, &id, old, BPF_ANY);
		bpf_map_update_elem(&ring_works, &id, w, BPF_ANY);
	}
	bpf_map_delete_elem(&ring_works, &address);
}

/* A ring of that task, by the address of its io_ring_ctx; flags: whether one that is known is replaced. */
static __always_inline struct ring *ring_new(__u64 address, struct task_struct *task, int fd, __u64 created,
					     __u64 flags)
{
	struct io_ring_ctx *ctx = (struct io_ring_ctx *)address;
	struct ring_zero *zero;
	__u32 none = 0, tgid = BPF_CORE_READ(task, tgid);
	struct ring *r;

	zero = bpf_map_lookup_elem(&no_ring, &none);
	if (!zero || tgid == self_tgid)
		return 0;
	if (created)
		retire(address);
	if (bpf_map_update_elem(&rings, &address, &zero->ring, flags))
		return 0;
	r = bpf_map_lookup_elem(&rings, &address);
	if (!r)
		return 0;
	r->id = created ? created : address & ~KERNEL_HALF;
	r->created = created;
	r->fd = fd;
	r->pid = tgid;
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), &BPF_CORE_READ(task, group_leader)->comm);
	r->sq_entries = BPF_CORE_READ(ctx, sq_entries);
	r->cq_entries = BPF_CORE_READ(ctx, cq_entries);
	r->setup = BPF_CORE_READ(ctx, flags);
	r->number = next_number(tgid);
	r->watched = server_wanted(tgid, r->comm);
	return r;
}

/* The ring at that address if it is watched. */
static __always_inline struct ring *ring_of(__u64 address)
{
	struct ring *r = bpf_map_lookup_elem(&rings, &address);

	if (!r)
		return 0;
	if (!r->watched) {
		if (!filter_ports && !filter_netns && !filter_pids)
			return 0; /* it will not change */
		r->watched = server_wanted(r->pid, r->comm);
	}
	return r->watched ? r : 0;
}

/* What is kept of the work of the ring at that address if it is watched. */
static __noinline struct ring_work *work_begun(__u64 address)
{
	struct ring *r = ring_of(address);
	struct ring_zero *zero;
	struct ring_work *w;
	__u32 none = 0;

	if (!r)
		return 0;
	zero = bpf_map_lookup_elem(&no_ring, &none);
	if (!zero)
		return 0;
	bpf_map_update_elem(&ring_works, &address, &zero->work, BPF_NOEXIST);
	w = bpf_map_lookup_elem(&ring_works, &address);
	if (w)
		w->id = r->id;
	else
		count_lost(LOST_MAP);
	return w;
}

static __always_inline struct ring_work *work_of(__u64 address)
{
	struct ring_work *w = bpf_map_lookup_elem(&ring_works, &address);

	return w ? w : work_begun(address);
}

static __always_inline struct ring_op *ring_op_of(struct ring_work *w, __u8 op)
{
	struct ring_op_key key = {.ring = w->id, .op = op};
	struct ring_op *o = bpf_map_lookup_elem(&ring_ops, &key);
	struct ring_zero *zero;
	__u32 none = 0;

	if (o)
		return o;
	zero = bpf_map_lookup_elem(&no_ring, &none);
	if (!zero)
		return 0;
	bpf_map_update_elem(&ring_ops, &key, &zero->op, BPF_NOEXIST);
	o = bpf_map_lookup_elem(&ring_ops, &key);
	if (!o)
		count_lost(LOST_MAP);
	return o;
}

static __always_inline struct ring_count *count_of(struct ring_work *w, __u8 op)
{
	struct ring_op *sum;

	if (op < RING_OPS)
		return &w->counts[op];
	sum = ring_op_of(w, op);
	return sum ? &sum->count : 0;
}

static __always_inline __u32 log2_of(__u64 v)
{
	__u32 n = 0;

	if (v >> 32) {
		v >>= 32;
		n += 32;
	}
	if (v >> 16) {
		v >>= 16;
		n += 16;
	}
	if (v >> 8) {
		v >>= 8;
		n += 8;
	}
	if (v >> 4) {
		v >>= 4;
		n += 4;
	}
	if (v >> 2) {
		v >>= 2;
		n += 2;
	}
	return n + (v >> 1 & 1);
}

static __always_inline void add_batch(struct batches *b, __u32 n)
{
	__u32 i = log2_of(n);

	b->count += 1;
	b->sum += n;
	b->buckets[i < BATCH_BUCKETS ? i : BATCH_BUCKETS - 1] += 1;
}

static __always_inline void add_latency(struct ring_op *o, __u64 ns)
{
	__u32 log = log2_of(ns), i = ns < 4 ? ns : (log << 2 | (ns >> (log - 2) & 3)) - 4;

	if (i >= LATENCY_BUCKETS)
		i = LATENCY_BUCKETS - 1;
	__sync_fetch_and_add(&o->latency[i], 1);
	if (ns > o->max)
		o->max = ns;
}

/* The head of the completion queue was moved by the application since the last look: it has taken that many. */
static __always_inline void look_at_reaps(struct ring_work *w, __u32 head)
{
	if (w->looked && head != w->cq_head)
		add_batch(&w->reaps, head - w->cq_head);
	w->cq_head = head;
	w->looked = 1;
}

#define PACE_NS 100000000ULL /* how often it is looked how fast a ring is */
#define TIMED_EACH 1000	     /* so many operations are timed in that time, about */

/* To time an operation costs as much as to count it: of a fast ring's only a sample is. */
static __always_inline void look_at_pace(struct ring_work *w)
{
	__u64 now = bpf_ktime_get_ns(), past = now - w->paced, n = w->submits.sum - w->paced_count;

	if (past < PACE_NS)
		return;
	w->every = past < 2 * PACE_NS && n > 2 * TIMED_EACH ? n / TIMED_EACH : 0;
	w->paced = now;
	w->paced_count = w->submits.sum;
}

/* When the operation that is submitted now is; 0: it is not one of the sample. */
static __always_inline __u64 time_sampled(struct ring_work *w)
{
	if (w->untimed) {
		w->untimed -= 1;
		w->sampled = 1;
		return 0;
	}
	if (w->every)
		w->untimed = bpf_get_prandom_u32() % (2 * w->every - 1);
	return bpf_ktime_get_ns();
}

#endif
