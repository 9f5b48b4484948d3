/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Who joins the container that --container watches: by the cgroups that its processes are or were in. */
#ifndef BELTRACE_GROUP_BPF_H
#define BELTRACE_GROUP_BPF_H

#include "maps.bpf.h"

/* What is read of cgroups: a kernel without them does not load these programs. */
struct kernfs_node {
	__u64 id;
} __attribute__((preserve_access_index));

struct cgroup_root {
	int hierarchy_id;
} __attribute__((preserve_access_index));

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
} __attribute__((preserve_access_index));

struct css_set {
	struct cgroup *dfl_cgrp;
} __attribute__((preserve_access_index));

static __always_inline __u64 cgroup_id(struct cgroup *cgrp)
{
	return BPF_CORE_READ(cgrp, kn, id);
}

static __always_inline bool in_unified(struct cgroup *cgrp)
{
	return BPF_CORE_READ(cgrp, root, hierarchy_id) == 0;
}

static __always_inline struct cgroup *unified_cgroup(struct task_struct *task)
{
	return BPF_CORE_READ(task, cgroups, dfl_cgrp);
}

/* Paths of cgroups, from the root of their hierarchy: a container that is started anew has other cgroups of the same path. */
struct group_path {
	char path[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct group_path);
	__type(value, __u8);
} group_paths SEC(".maps");

/* Cgroups of version 2 with these paths, by number: into one a process may be born (CLONE_INTO_CGROUP). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u8);
} group_ids SEC(".maps");

static __always_inline bool group_at(const char *path)
{
	struct group_path key = {};
	long n = bpf_probe_read_kernel_str(key.path, sizeof(key.path), path);

	return n > 0 && n < sizeof(key.path) && bpf_map_lookup_elem(&group_paths, &key);
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(group_join, struct cgroup *to, const char *path, struct task_struct *leader, bool whole)
{
	if ((whole || BPF_CORE_READ(leader, pid) == BPF_CORE_READ(leader, tgid)) && group_at(path))
		watch_process(BPF_CORE_READ(leader, tgid), BY_GROUP);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(group_made, struct cgroup *made, const char *path)
{
	__u64 id = cgroup_id(made);
	__u8 one = 1;

	if (in_unified(made) && group_at(path))
		bpf_map_update_elem(&group_ids, &id, &one, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(group_born, struct task_struct *parent, struct task_struct *child)
{
	__u64 id = cgroup_id(unified_cgroup(child));

	if (BPF_CORE_READ(child, pid) == BPF_CORE_READ(child, tgid) && bpf_map_lookup_elem(&group_ids, &id))
		watch_process(BPF_CORE_READ(child, tgid), BY_GROUP);
	return 0;
}

#endif
