/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Epoll instances (struct eventpoll): on which of them loops wait, whatever descriptors name them. */
#ifndef BELTRACE_INSTANCES_BPF_H
#define BELTRACE_INSTANCES_BPF_H

#include "maps.bpf.h"

#define LIST_EVERY 1000000000ULL /* ns from one look at what a loop waits for to the next */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LOOPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct instance);
} instances SEC(".maps");

/* The instance of an epoll descriptor's file, 0 if there is none. */
static __always_inline __u64 instance_of_file(struct file *file)
{
	return file ? (__u64)BPF_CORE_READ(file, private_data) : 0;
}

/* What is kept of an epoll instance, which is made when it is met first. */
static __always_inline struct instance *instance_get(__u64 ep, __u32 pid)
{
	struct instance *i = bpf_map_lookup_elem(&instances, &ep), fresh = {.pid = pid};

	if (i && !i->gone)
		return i;
	fresh.since = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&instances, &ep, &fresh, BPF_ANY)) {
		count_lost(LOST_MAP);
		return 0;
	}
	return bpf_map_lookup_elem(&instances, &ep);
}

/* Finds out on which instance a loop waits: now and then, since the descriptor may be another one's by now. */
static __always_inline void look_at_instance(struct loop *l, struct file *file, __u64 now)
{
	if (now - l->ep_at < LIST_EVERY)
		return;
	l->ep_at = now;
	l->ep = instance_of_file(file);
	if (l->ep)
		instance_get(l->ep, l->pid);
}

#endif
