/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What a thread does from one accept to the next while connections wait. A gap counts if the connection that ends it waited
 * throughout, but for a twentieth: then all that the thread did in it kept somebody waiting.
 */
#ifndef BELTRACE_PACE_BPF_H
#define BELTRACE_PACE_BPF_H

#include "sched.bpf.h"

static __always_inline void in_gap(struct thread *t, int part, __u64 sum, bool counts)
{
	if (counts)
		t->in_gaps[part] += sum - t->before[part];
	t->before[part] = sum;
}

/*
 * The current thread took a connection that came into the queue at came. Whoever reads this meanwhile reads the sums before
 * the time, which is written first: it has no gap without the accept that ends it.
 */
static __noinline void thread_accepts(__u64 came)
{
	struct thread *t = thread_of((__u32)bpf_get_current_pid_tgid());
	__u64 last, now, running;
	bool counts = false;
	__u32 begun;

	if (!t)
		return;
	last = t->accepted;
	begun = READ_NOW(t->begun);
	running = READ_NOW(t->running) - READ_NOW(t->since);
	now = bpf_ktime_get_ns();
	running += now;
	/* Since 7.0 it may lose its CPU here; where its coming to the CPU was not seen, its sums are not of now. */
	if (t->state != THREAD_RUNNING || READ_NOW(t->begun) != begun) {
		t->accepted = 0;
		return;
	}
	WRITE_NOW(t->accepted, now);
	came = came > last ? came : last;
	if (last) {
		counts = (came - last) * 20 <= now - last;
		if (counts)
			t->gaps += 1;
		else if (came < now)
			t->part_ns += now - came;
	}
	in_gap(t, 0, running, counts);
	in_gap(t, 1, t->runqueue, counts);
	for (int i = 0; i < THREAD_WAITS; i++)
		in_gap(t, i + 2, t->blocked[i], counts);
}

#endif
