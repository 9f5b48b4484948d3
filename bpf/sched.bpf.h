/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What threads do: running, waiting for a CPU, blocked and in which system call. Nothing is sent but the sum at a
 * thread's end: user space reads the map once a second.
 *
 * The scheduler orders a thread's transitions by its own locks (a wake-up waits until the switch away is complete), so
 * an entry has one writer at a time.
 */
#ifndef BELTRACE_SCHED_BPF_H
#define BELTRACE_SCHED_BPF_H

#include "stall.bpf.h"
#include "offcpu.bpf.h"

#define PF_IO_WORKER 0x10 /* a kernel thread before 5.12 */
#define PF_KTHREAD 0x00200000
#define TASK_STOPPED_OR_TRACED 0x0c
#define TASK_WAKING 0x200
#define TASK_NEW 0x800

/* The place where the time of a wait is added up. What finds no room of its own goes to the last one. */
static __always_inline __u8 wait_slot(struct thread *t, __u32 what)
{
	__u8 last = t->slot;

	if (last < THREAD_WAITS && t->what[last] == what)
		return last;
#pragma unroll
	for (int i = 0; i < THREAD_WAITS - 1; i++) {
		if (!t->what[i])
			t->what[i] = what;
		if (t->what[i] == what)
			return i;
	}
	t->what[THREAD_WAITS - 1] = WAIT_OTHER;
	return THREAD_WAITS - 1;
}

/* Adds the time since the last change to the state that ends, and begins another; what: that it blocks in, or 0. */
static __always_inline void thread_becomes(struct thread *t, __u8 state, __u32 what, __u64 now)
{
	__u64 ns = now - t->since;

	t->begun += 1;
	barrier();
	switch (t->state) {
	case THREAD_RUNNING:
		t->running += ns;
		break;
	case THREAD_RUNQUEUE:
		t->runqueue += ns;
		break;
	case THREAD_BLOCKED:
		if (t->slot < THREAD_WAITS)
			t->blocked[t->slot] += ns;
		break;
	default:
		t->first = now;
	}
	t->since = now;
	t->state = state;
	if (what)
		t->slot = wait_slot(t, what);
	barrier();
	t->done += 1;
}

/* In what a task blocks: its system call, unless it was stopped or frozen. */
static __always_inline __u32 waits_in(struct task_struct *task, long state, bool modern)
{
	__u32 nr;

	if (state & TASK_STOPPED_OR_TRACED || task_frozen(task, state))
		return WAIT_STOPPED;
	if (task->flags & PF_IO_WORKER)
		return WAIT_WORKER;
	nr = task_syscall(task, modern);
	if (nr == SYSCALL_UNKNOWN)
		return WAIT_UNKNOWN;
	if (nr > MAX_SYSCALL)
		return WAIT_FAULT;
	return nr + 1; /* 0 is an empty place */
}

static __always_inline struct thread *thread_of(__u32 tid)
{
	return bpf_map_lookup_elem(&threads, &tid);
}

/* It is too large for the stack. */
const struct thread no_thread = {.cpu = NO_CPU};

/* The name is that of the process: of its first thread. */
static __always_inline void name_thread(struct thread *t, struct task_struct *task)
{
	bpf_probe_read_kernel(t->comm, sizeof(t->comm), &BPF_CORE_READ(task, group_leader)->comm);
}

/*
 * Watches a thread from now on, or with THREAD_NEW as soon as a hook sees it. NULL if it is watched already, or if there is
 * no room, which is counted.
 */
static __always_inline struct thread *thread_add(struct task_struct *task, __u8 state)
{
	__u32 tid = BPF_CORE_READ(task, pid);
	struct thread *t;

	if (thread_of(tid))
		return 0;
	if (bpf_map_update_elem(&threads, &tid, &no_thread, BPF_NOEXIST)) {
		count_lost(LOST_MAP);
		return 0;
	}
	t = thread_of(tid);
	if (!t)
		return 0;
	name_thread(t, task);
	t->pid = BPF_CORE_READ(task, tgid);
	if (t->state == THREAD_NEW) /* else a hook was faster */
		thread_becomes(t, state, 0, bpf_ktime_get_ns());
	if (state == THREAD_RUNQUEUE)
		t->runnable = t->since;
	return t;
}

/* The current thread took a connection: it serves. */
static __always_inline void thread_serves(void)
{
	if (sched_on)
		thread_add((struct task_struct *)bpf_get_current_task(), THREAD_RUNNING);
	process_serves(bpf_get_current_pid_tgid() >> 32);
}

/* Threads of the processes that a filter selects; without one, of those that hold a watched listener. */
static __always_inline bool thread_wanted(struct task_struct *task)
{
	__u32 tgid = task->tgid;
	__u8 comm[COMM_LEN];

	if (tgid == self_tgid || tgid == held_tgid || task->flags & PF_KTHREAD)
		return false;
	if (!filter_pids && !filter_comm)
		return bpf_map_lookup_elem(&servers, &tgid) != 0;
	bpf_probe_read_kernel(comm, sizeof(comm), &BPF_CORE_READ(task, group_leader)->comm);
	return process_wanted(tgid, comm);
}

/* It would run: what keeps it from that is another thread, or the quota of its cgroup. */
static __always_inline void thread_waits(struct thread *t, struct task_struct *task, __u64 now)
{
	if (task_throttled(task))
		thread_becomes(t, THREAD_BLOCKED, WAIT_THROTTLED, now);
	else
		thread_becomes(t, THREAD_RUNQUEUE, 0, now);
}

static __always_inline void comes_to_cpu(struct thread *t, __u32 tid, __u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 runnable;

	if (t->cpu != cpu && t->cpu != NO_CPU)
		t->migrations += 1;
	t->cpu = cpu;
	/* Asleep until now: its quota kept it, or its wake-up was not seen. */
	runnable = t->state == THREAD_BLOCKED ? now : t->runnable;
	thread_becomes(t, THREAD_RUNNING, 0, now);
	if (t->told)
		tell_offcpu(t, tid, now, runnable);
	if (loops_on && t->left && t->runnable > t->left + STALL_NS)
		note_stall(t, tid, t->runnable - t->left);
}

/*
 * No program runs where a kernel protects the process that left the CPU: then the next one comes unseen. Its scheduling
 * class knows how long it ran, but for a real-time one, which is taken to have run since it could.
 */
static __always_inline void came_unseen(struct thread *t, struct task_struct *task, __u64 now)
{
	__u64 ran = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;

	comes_to_cpu(t, task->pid, ran < now - t->since ? now - ran : t->since);
}

static __always_inline void leaves_cpu(void *ctx, struct thread *t, struct task_struct *task, bool preempted,
				       bool modern, __u64 now)
{
	long state = task_state(task);
	__u32 what;

	if (t->state == THREAD_RUNQUEUE || t->state == THREAD_BLOCKED)
		came_unseen(t, task, now);
	t->came = t->state == THREAD_RUNNING ? t->since : 0;
	t->left = now;
	t->told = to_be_told(t);
	t->switches += 1; /* not part of the sum */
	/* Preempted on its way to sleep it is still runnable, whatever its state says. */
	if (preempted || !state) {
		thread_waits(t, task, now);
		return;
	}
	if (t->told)
		wait_target(t, modern);
	what = waits_in(task, state, modern);
	if (emit_stacks || stacks_on || loops_on)
		note_stack(ctx, t, task->pid, what, now);
	if (spurious_on)
		note_sleep(task->pid, what - 1, state);
	thread_becomes(t, THREAD_BLOCKED, what, now);
}

static __always_inline int on_switch(void *ctx, bool preempted, struct task_struct *prev, struct task_struct *next,
				     bool modern)
{
	struct thread *t;
	__u64 now = 0;

	t = prev->pid ? thread_of(prev->pid) : 0; /* 0 is the idle task */
	if (t) {
		now = bpf_ktime_get_ns();
		leaves_cpu(ctx, t, prev, preempted, modern, now);
	}
	t = next->pid ? thread_of(next->pid) : 0;
	if (t)
		comes_to_cpu(t, next->pid, now ? now : bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(ctx, preempt, prev, next, true);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch_old, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(ctx, preempt, prev, next, false);
}

/* Not sched_waking: that may come before the switch away that it ends. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(sched_wakeup, struct task_struct *task)
{
	struct thread *t = thread_of(task->pid);
	__u64 now;

	if (!t || t->state != THREAD_BLOCKED)
		return 0;
	now = bpf_ktime_get_ns();
	if (t->told && task_throttled(task)) { /* two waits, one after the other */
		tell_offcpu(t, task->pid, now, now);
		t->came = t->left = now;
	}
	t->queued = t->runqueue;
	thread_waits(t, task, now);
	t->runnable = now;
	return 0;
}

/* It may come before the switch away that it ends: only its time is kept. */
SEC("tp_btf/sched_waking")
int BPF_PROG(sched_waking, struct task_struct *task)
{
	struct thread *t = thread_of(task->pid);

	if (t)
		t->waking = bpf_ktime_get_ns();
	return 0;
}

/* A new thread: that of a process which is watched, or the first of a child that a filter selects. */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(sched_wakeup_new, struct task_struct *task)
{
	__u32 tid = task->pid;

	if (thread_of(tid)) /* of an earlier thread, whose end was not seen */
		bpf_map_delete_elem(&threads, &tid);
	if (thread_wanted(task))
		thread_add(task, THREAD_RUNQUEUE);
	return 0;
}

/* The name that a filter compares comes with the program; a thread that execs takes the number of the first one. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(sched_exec, struct task_struct *task, int old_tid)
{
	__u32 old = old_tid, tid = task->pid;
	struct thread *t = thread_of(tid);

	held_tgid = task->tgid == held_tgid ? 0 : held_tgid;
	if (tid != old)
		bpf_map_delete_elem(&threads, &old);
	if (t)
		name_thread(t, task);
	else if (thread_wanted(task))
		thread_add(task, THREAD_RUNNING);
	return 0;
}

/* A whole copy. Since 7.0 a thread may be taken off its CPU inside a program, which is a change of its own state. */
static __always_inline void copy_thread(struct thread *to, struct thread *from)
{
	for (int i = 0; i < 4; i++) {
		*to = *from;
		barrier();
		if (to->done == to->begun && *(volatile __u32 *)&from->begun == to->begun)
			return;
	}
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(sched_exit, struct task_struct *task)
{
	__u32 tid = task->pid, tgid = task->tgid;
	struct thread *t = thread_of(tid);
	struct thread_event *e;

	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&servers, &tgid);
	if (!t)
		return 0;
	e = event_new(EVENT_THREAD, sizeof(*e));
	if (e) {
		copy_thread(&e->t, t);
		thread_becomes(&e->t, THREAD_ENDED, 0, bpf_ktime_get_ns());
		e->e.ts = e->t.since;
		e->e.tid = tid;
		event_send(e);
	}
	bpf_map_delete_elem(&threads, &tid);
	bpf_map_delete_elem(&stacks, &tid);
	return 0;
}

/* Runs for every system call of the host: attached only while somebody wants the numbers of those who serve. */
SEC("tp_btf/sys_enter")
int BPF_PROG(count_call)
{
	struct thread *t = thread_of((__u32)bpf_get_current_pid_tgid());

	if (t)
		t->calls += 1; /* not part of the sum */
	return 0;
}

/* Threads that were there before. One that moves between our two looks at it has its transition from the hooks. */
static __always_inline int seed_thread(struct task_struct *task, bool modern)
{
	__u8 begins = THREAD_RUNQUEUE;
	struct thread *t;
	__u32 what = 0;
	long state;

	if (!task || !thread_wanted(task))
		return 0;
	t = thread_add(task, THREAD_NEW);
	if (!t)
		return 0;
	state = task_state(task);
	if (task_on_cpu(task))
		begins = THREAD_RUNNING;
	else if (state && !(state & (TASK_WAKING | TASK_NEW)))
		what = waits_in(task, state, modern);
	if (t->state == THREAD_NEW)
		thread_becomes(t, what ? THREAD_BLOCKED : begins, what, bpf_ktime_get_ns());
	return 0;
}

SEC("iter/task")
int seed_threads(struct bpf_iter__task *ctx)
{
	return seed_thread(ctx->task, true);
}

SEC("iter/task")
int seed_threads_old(struct bpf_iter__task *ctx)
{
	return seed_thread(ctx->task, false);
}

#endif
