/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What waits in the receive queues of watched connections. No turn tells: one that is read is told when the answer begins, and
 * of one that nobody reads there is none.
 */
#ifndef BELTRACE_UNREAD_BPF_H
#define BELTRACE_UNREAD_BPF_H

#include "place.bpf.h"
#include "move.bpf.h"
#include "flow.bpf.h"

#define TURN_IS_LONG 1000000000ULL /* a turn that is read for so long shows how far it is */

/* Tells how much waits, if that is not what was told last. */
static __always_inline void sample_waiting(struct sock *sk, struct flow *flow)
{
	struct sock_info *info = info_of(sk);
	struct bytes b = {.kind = EVENT_READABLE};
	struct place_in_stream p = {};
	__u64 behind;

	if (!info || !info->watched || info->ended)
		return;
	read_place(sk, &p, false);
	behind = p.in + p.unread;
	if (flow->unread_told == p.unread + 1 &&
	    (!flow->in.dir || flow->in_told == flow->in.no || behind <= flow->ready_pos ||
	     bpf_ktime_get_ns() - flow->in.first < TURN_IS_LONG))
		return;
	flow->unread_told = p.unread + 1;
	b.pos = flow->ready_pos > p.in ? flow->ready_pos : p.in;
	b.n = behind > b.pos ? behind - b.pos : 0;
	b.unread = p.unread;
	flow->ready_pos = b.pos + b.n;
	tell_bytes(info, flow->netns, &b, 0);
}

static __always_inline int sample_flow(__u64 key)
{
	struct flow *flow = emit_readable ? 0 : bpf_map_lookup_elem(&flows, &key);

	if (flow)
		sample_waiting((struct sock *)key, flow);
	return 0;
}

/* Each flow. A socket that has gone meanwhile has none; where the memory is another's by now, its own state says so. */
SEC("iter/bpf_map_elem")
int sample_unread(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *at = ctx->key;

	return at ? sample_flow(*at) : 0;
}

/* Each open file of each process: connections that nobody has accepted have none. */
SEC("iter/task_file")
int sample_unread_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = iterated_sock(ctx->task, ctx->file);

	return sk ? sample_flow((__u64)sk) : 0;
}

#endif
