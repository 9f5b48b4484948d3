/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Which connections have their bytes watched. */
#ifndef BELTRACE_NEWFLOW_BPF_H
#define BELTRACE_NEWFLOW_BPF_H

#include "sample.bpf.h"
#include "mute.bpf.h"

/* An empty flow: it is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} no_flow SEC(".maps");

/* The flow of a watched connection, made at its first bytes; NULL for any other socket. */
static __always_inline struct flow *flow_get(struct sock *sk, struct sock_info *info)
{
	__u64 key = (__u64)sk;
	struct flow *flow;
	__u32 zero = 0;
	bool muted;

	if (!info || !info->watched || info->role == ROLE_LISTENER)
		return 0;
	muted = is_muted(sk, info);
	if (!muted && (sample_mask || info->skips == SKIPS_NOW) && out_of_sample(sk, info))
		return 0;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (flow)
		return flow;
	flow = bpf_map_lookup_elem(&no_flow, &zero);
	if (!flow)
		return 0;
	bpf_map_update_elem(&flows, &key, flow, BPF_NOEXIST); /* another CPU may be faster */
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow) {
		count_lost(LOST_MAP);
		return 0;
	}
	flow->netns = netns_of(sk);
	flow->mute = muted;
	if (muted)
		info->mute = MUTED_FLOW;
	return flow;
}

#endif
