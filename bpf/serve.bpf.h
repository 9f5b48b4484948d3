/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Which thread has a request to answer, from its last byte read to the first one of the answer. A thread may have many,
 * as an event loop does. What it does meanwhile its sums tell, and each of its sleeps what it waits for.
 */
#ifndef BELTRACE_SERVE_BPF_H
#define BELTRACE_SERVE_BPF_H

#include "sched.bpf.h"

/* Of a connection: who has its request to answer, and what that thread had done when it read it. */
struct serving {
	__u64 read; /* when */
	__u64 running;
	__u64 runqueue;
	__u32 tid; /* 0: nobody */
	__u32 no;  /* of the turn that it read */
};

/* Since when the current thread runs, what brought it there, and when it last did something for a request. */
static __always_inline void thread_moments(__u64 *waking, __u64 *runnable, __u64 *oncpu, __u64 *moved)
{
	struct thread *thread = thread_of((__u32)bpf_get_current_pid_tgid());

	if (!thread || thread->state != THREAD_RUNNING)
		return;
	*oncpu = thread->since;
	*runnable = thread->runnable;
	*moved = thread->moved;
	if (thread->waking <= thread->runnable) /* else of a wake-up that found it awake */
		*waking = thread->waking;
}

/* How long a thread has been on a CPU. */
static __always_inline __u64 thread_ran(struct thread *t, __u64 now)
{
	return t->running + (t->state == THREAD_RUNNING && now > t->since ? now - t->since : 0);
}

/* The thread has the request no more. */
static __always_inline void thread_loses(struct serving *s, __u64 conn)
{
	struct thread *t = s->tid ? thread_of(s->tid) : 0;

	s->tid = 0;
	if (!t)
		return;
	if (t->asked)
		__sync_fetch_and_add(&t->asked, -1);
	if (t->serves == conn)
		t->serves = 0;
}

/* The current thread read a part of a request. The last one to do so serves it: a Go server reads on two. */
static __always_inline void thread_takes(struct serving *s, __u64 conn, __u64 now, __u32 no)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *t = thread_of(tid);

	if (!t)
		thread_serves();
	if (s->tid != tid) {
		thread_loses(s, conn);
		if (!t)
			return;
		__sync_fetch_and_add(&t->asked, 1);
		s->tid = tid;
	}
	if (!t)
		return;
	t->serves = conn;
	t->moved = now;
	s->no = no;
	s->read = now;
	s->running = thread_ran(t, now);
	s->runqueue = t->runqueue;
}

/* The current thread begins to answer. Another request may have been read since: that one is not answered. */
static __always_inline void thread_answers(struct serving *s, __u64 conn, struct turn_event *turn, __u32 no)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *t = thread_of(tid), *reader = t;
	bool read = s->tid && s->no == no;

	if (read && s->tid != tid) { /* it may sleep still, as with goroutines */
		reader = thread_of(s->tid);
		if (reader && reader->state != THREAD_RUNNING)
			tell_offcpu(reader, s->tid, turn->first,
				    reader->state == THREAD_BLOCKED ? turn->first : reader->runnable);
		if (reader && reader->moved == s->read)
			turn->running = thread_ran(reader, turn->first) - s->running;
	}
	if (t && read && s->tid == tid) {
		turn->running = thread_ran(t, turn->first) - s->running;
		turn->runqueue = t->runqueue - s->runqueue;
	} else if (t) {
		turn->runqueue = t->runqueue - t->queued;
		turn->other = t->moved;
	}
	if (t)
		t->moved = turn->first;
	if (read)
		thread_loses(s, conn);
}

#endif
