/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Sleeps between two waits of an event loop. */
#ifndef BELTRACE_STALL_BPF_H
#define BELTRACE_STALL_BPF_H

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

#endif
