/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * When there are more turns than can be carried, those of whole connections are left out. Which ones their numbers decide,
 * so that a connection stays in or out as long as the share is the same, and one that is in with a small share is in with
 * each larger one. What is left out is counted.
 */
#ifndef BELTRACE_SAMPLE_BPF_H
#define BELTRACE_SAMPLE_BPF_H

#include "flow.bpf.h"

#define SAMPLE_MASK_MAX 1023
#define SAMPLE_AGAIN 10000000 /* ns after which the ring can tell whether less is enough */

enum skips {
	SKIPS_NEVER,
	SKIPS_NOW,
	SKIPPED, /* it came back: where its next turn begins is not known */
};

/* Whether the connection's turns are not told at present. */
static __noinline bool out_of_sample(struct sock *sk, struct sock_info *info)
{
	__u64 key = (__u64)sk;
	struct flow *flow;

	if (!((info->id * 0x9e3779b97f4a7c15ULL >> 32) & sample_mask)) {
		if (info->skips == SKIPS_NOW)
			info->skips = SKIPPED;
		return false;
	}
	if (info->skips == SKIPS_NOW)
		return true;
	info->skips = SKIPS_NOW;
	info->spoke = TURN_NONE;
	flow = flow_of(sk);
	if (flow) {
		thread_loses(&flow->serving, info->id);
		bpf_map_delete_elem(&flows, &key);
	}
	return true;
}

/*
 * Half of the ring is full: whoever reads it may not come in time to say that it is too much. It is again when the ring
 * has gone on filling: what is in it was told with the larger share.
 */
static __noinline void look_at_room(__u64 now)
{
	__u64 used = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	if (used < RING_SIZE / 2) {
		if (sample_at)
			sample_at = 0;
		return;
	}
	if (used < sample_at || now - sample_raised < SAMPLE_AGAIN)
		return;
	sample_raised = now;
	sample_at = used + RING_SIZE / 16;
	if (sample_mask < SAMPLE_MASK_MAX)
		sample_mask = sample_mask << 1 | 1;
}

/* A call moved bytes of a connection that may be left out: when it is the other side that speaks, that is a turn. */
static __always_inline void count_skipped(struct sock_info *info, __u8 dir)
{
	if (!info || info->skips != SKIPS_NOW || info->spoke == dir)
		return;
	info->spoke = dir;
	count_lost(NOT_SAMPLED);
}

#endif
