/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Event loops that wait already when we come. */
#ifndef BELTRACE_LOOPSEED_BPF_H
#define BELTRACE_LOOPSEED_BPF_H

#include "sched.bpf.h"
#include "loops.bpf.h"

/* In what kind of wait a task is. Of a poll of one descriptor it is not known whether that is a listener: not yet. */
static __always_inline __u32 task_waits(struct task_struct *task, bool modern, __u64 *first)
{
	__u64 second = 0;

	if (!task_state(task) || !task_arguments(task, modern, first, &second))
		return LOOP_NONE;
	switch (task_syscall(task, modern)) {
	case NR_EPOLL_WAIT:
	case NR_EPOLL_PWAIT:
	case NR_EPOLL_PWAIT2:
		return LOOP_EPOLL;
	case NR_POLL:
	case NR_PPOLL:
		return (__u32)second > 1 ? LOOP_POLL : LOOP_NONE;
	case NR_SELECT:
	case NR_PSELECT6:
		return (__s32)*first > 0 ? LOOP_SELECT : LOOP_NONE;
	}
	return LOOP_NONE;
}

/* Loops that wait already: what of their wait we see counts, how long it lasts in all is not known. */
static __always_inline int seed_loop(struct task_struct *task, bool modern)
{
	struct loop_thread lt = {.inside = 1};
	struct loop_key key = {};
	struct loop *l;
	__u64 first = 0;
	__u32 kind;

	if (!task || !loops_on || !thread_wanted(task))
		return 0;
	kind = task_waits(task, modern, &first);
	if (kind == LOOP_NONE)
		return 0;
	lt.slept = !task_on_cpu(task);
	lt.epoll = kind == LOOP_EPOLL;
	lt.fd = kind == LOOP_EPOLL ? (__s32)first : -(__s32)kind;
	key.fd = lt.fd;
	key.tid = task->pid;
	if (bpf_map_update_elem(&loop_threads, &key.tid, &lt, BPF_NOEXIST))
		return 0; /* its next wait was met */
	l = loop_add(task, &key, kind);
	if (!l)
		return 0;
	if (!l->entered)
		l->entered = l->since;
	if (kind == LOOP_EPOLL)
		look_at_instance(l, file_of_task(task, lt.fd), l->since);
	return 0;
}

SEC("iter/task")
int seed_loops(struct bpf_iter__task *ctx)
{
	return seed_loop(ctx->task, true);
}

SEC("iter/task")
int seed_loops_old(struct bpf_iter__task *ctx)
{
	return seed_loop(ctx->task, false);
}

#endif
