/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Sleeps of a thread with event loops: in other calls between two waits, and again within a wait. */
#ifndef BELTRACE_STALL_BPF_H
#define BELTRACE_STALL_BPF_H

#include "compat.bpf.h"
#include "stack.bpf.h"

#define STALL_NS 5000000 /* a sleep between two waits of an event loop that is worth a record */

/* A thread with an event loop slept in another call: what has become ready meanwhile waits. */
static __always_inline void note_stall(struct thread *t, __u32 tid, __u64 ns)
{
	struct loop_thread *lt = bpf_map_lookup_elem(&loop_threads, &tid);

	if (!lt || lt->inside || t->slot >= THREAD_WAITS)
		return;
	lt->stalls += 1;
	if (ns <= lt->stall)
		return;
	lt->stall = ns;
	lt->stall_at = t->left;
	lt->stall_what = t->what[t->slot];
	keep_stack(tid, t->left);
}

#define TASK_SLEEP_MASK 0x0f

/* So do threads that wait for events; what they wait for within such a call otherwise (a lock, a page) is not so. */
static __always_inline bool sleeps_for_events(long state)
{
	return (state & TASK_SLEEP_MASK) == TASK_INTERRUPTIBLE;
}

/* Whether that is a call in which loops wait, with these arguments. */
static __always_inline bool waits(int nr, __u64 first, __u64 second)
{
	switch (nr) {
	case NR_EPOLL_WAIT:
	case NR_EPOLL_PWAIT:
	case NR_EPOLL_PWAIT2:
		return true;
	case NR_POLL:
	case NR_PPOLL:
		return (__u32)second != 0;
	case NR_SELECT:
	case NR_PSELECT6:
		return (__s32)first > 0;
	}
	return false;
}

/*
 * A thread goes to sleep in a wait of its loop. If it slept in the same wait before, its wake-up was spurious: it found
 * nothing ready, and the call did not return.
 */
static __always_inline void count_sleep(struct loop_thread *lt, __u32 tid)
{
	struct loop_key key = {.tid = tid, .fd = lt->fd};
	struct loop *l;

	if (!lt->slept) {
		lt->slept = 1;
		return;
	}
	l = bpf_map_lookup_elem(&loops, &key);
	if (!l)
		return;
	l->begun += 1;
	barrier();
	l->spurious += 1;
	barrier();
	l->done += 1;
}

/* A watched thread goes to sleep in a call, by its number. */
static __always_inline void note_sleep(__u32 tid, __u32 nr, long state)
{
	struct loop_thread *lt;

	if (!sleeps_for_events(state) || !waits(nr, 1, 1))
		return;
	lt = bpf_map_lookup_elem(&loop_threads, &tid);
	if (lt && lt->inside)
		count_sleep(lt, tid);
}

#endif
