/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Counters of what may happen too often for a record each. */
#ifndef BELTRACE_TALLY_BPF_H
#define BELTRACE_TALLY_BPF_H

#include "sock.bpf.h"

#define MAX_TALLIES 8192
#define MAX_SENT 100 /* records of one tally in about a second */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TALLIES);
	__type(key, struct tally_key);
	__type(value, struct tally);
} tallies SEC(".maps");

/* Counts what cannot be counted: no room for one more tally. */
static __always_inline struct tally *tally_add(const struct tally_key *key, const struct tally *fresh)
{
	bpf_map_update_elem(&tallies, key, fresh, BPF_NOEXIST);
	struct tally *t = bpf_map_lookup_elem(&tallies, key);
	if (!t)
		count_lost(LOST_MAP);
	return t;
}

/* The tally of a listener, made when it is asked for the first time. */
static __always_inline struct tally *tally_of(const struct tally_key *key, struct sock *listener,
					      struct sock_info *info)
{
	struct tally *t = bpf_map_lookup_elem(&tallies, key);
	struct tally fresh = {};

	if (t)
		return t;
	fresh.e.role = ROLE_SERVER;
	put_owner(&fresh.e, info);
	put_local(&fresh.e, listener);
	put_listener(&fresh.e, listener);
	return tally_add(key, &fresh);
}

static __always_inline void tally_count(struct tally *t)
{
	__sync_fetch_and_add(&t->total, 1);
}

/*
 * A record for one of them, headed as the tally is; NULL when there were many in this second or the ring is full: it is
 * in the total all the same, so nothing is lost.
 */
static __always_inline void *tally_record(struct tally *t, __u8 kind, __u32 size)
{
	__u64 now = bpf_ktime_get_ns(), second = now >> 30;
	struct event *e;

	if (t->second != second) {
		t->second = second;
		t->in_second = 0;
	}
	if (t->in_second >= MAX_SENT)
		return 0;
	t->in_second++;
	e = bpf_ringbuf_reserve(&events, size, 0);
	if (!e)
		return 0;
	__builtin_memset(e, 0, size);
	__builtin_memcpy(e, &t->e, sizeof(*e));
	e->kind = kind;
	e->ts = now;
	e->cpu = bpf_get_smp_processor_id();
	__sync_fetch_and_add(&t->sent, 1);
	return e;
}

static __always_inline __u64 tally_total(const struct tally_key *key)
{
	struct tally *t = bpf_map_lookup_elem(&tallies, key);
	return t ? t->total : 0;
}

#endif
