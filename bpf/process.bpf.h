/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The processes that --pid and --container watch: their children join them. */
#ifndef BELTRACE_PROCESS_BPF_H
#define BELTRACE_PROCESS_BPF_H

#include "maps.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = BPF_CORE_READ(parent, tgid), to = BPF_CORE_READ(child, tgid);
	__u8 *by = from == to ? 0 : bpf_map_lookup_elem(&watched_pids, &from);

	if (by)
		watch_process(to, *by);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (BPF_CORE_READ(task, signal, live.counter) == 0) /* the last thread */
		bpf_map_delete_elem(&watched_pids, &tgid);
	return 0;
}

#endif
