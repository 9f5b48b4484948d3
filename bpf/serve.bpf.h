/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Which thread has a request to answer, from its last byte read to the first one of the answer. */
#ifndef BELTRACE_SERVE_BPF_H
#define BELTRACE_SERVE_BPF_H

/* Since when the current thread runs, and what brought it there. */
static __always_inline void thread_stamps(struct turn_event *t)
{
	struct thread *thread = thread_of((__u32)bpf_get_current_pid_tgid());

	if (!thread || thread->state != THREAD_RUNNING)
		return;
	t->oncpu = thread->since;
	if (thread->runnable > thread->left)
		t->runnable = thread->runnable;
	if (thread->waking > thread->left)
		t->waking = thread->waking;
}

/* The current thread has a request to answer: what keeps it from the CPU until it has is told, time by time. */
static __always_inline void thread_has_request(__u64 conn)
{
	struct thread *thread = thread_of((__u32)bpf_get_current_pid_tgid());

	if (thread && thread->serves != conn) {
		thread->serves = conn;
		thread->preempted = 0;
	} else if (!thread) {
		thread_serves();
	}
}

static __always_inline __u64 thread_answers(__u32 reader, __u64 conn)
{
	struct thread *thread = thread_of(reader);

	if (!thread || thread->serves != conn)
		return 0;
	/* Another one answers, and the reader still sleeps: as with goroutines. */
	if (thread->state == THREAD_BLOCKED && thread->left)
		tell_offcpu(thread, reader, bpf_ktime_get_ns());
	thread->serves = 0;
	return reader == (__u32)bpf_get_current_pid_tgid() ? thread->preempted : 0;
}

/* Another thread reads the rest of a request, as a Go server does: it is the one that serves. */
static __always_inline void thread_hands_over(__u32 reader, __u64 conn)
{
	struct thread *thread = thread_of(reader);

	if (thread && thread->serves == conn)
		thread->serves = 0;
}

#endif
