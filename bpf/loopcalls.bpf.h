/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Waits where no function can be hooked: two programs instead of one for each end of each system call. A program at the end
 * of all calls costs others less than half of what one at both ends does, and it is detached at once. When a wait began is
 * seen when its thread goes to sleep; one that does not sleep took no time.
 */
#ifndef BELTRACE_LOOPCALLS_BPF_H
#define BELTRACE_LOOPCALLS_BPF_H

#include "interest.bpf.h"

/* The current thread waits, or did so in a call that ends: ended. False: that is no loop's wait. */
static __always_inline bool call_waits(struct loop_thread *lt, int nr, const struct call_args *a, bool ended)
{
	__u32 kind = LOOP_SELECT, max = 0, knows = 0;
	__s64 timeout = 0;

	switch (nr) {
	case NR_POLL:
	case NR_PPOLL:
		kind = LOOP_POLL;
		max = (__u32)a->arg[1];
		if (!polls_for_loop(lt, (void *)a->arg[0], max))
			return false;
		list_poll(lt, (void *)a->arg[0], max);
		break;
	case NR_SELECT:
	case NR_PSELECT6:
		if (!is_loop(lt))
			return false;
		if (!ended) /* else what it found has taken the sets' place */
			list_select(lt, (int)a->arg[0], (void *)a->arg[1], (void *)a->arg[2], (void *)a->arg[3]);
		break;
	default:
		lt->epoll = 1;
		lt->polls = 0;
		kind = LOOP_EPOLL;
		max = (__u32)a->arg[2];
		knows = timeout_of(nr, a->arg[3], &timeout);
	}
	wait_begins(lt, kind, kind == LOOP_EPOLL ? (int)a->arg[0] : -(int)kind, max, timeout, knows);
	return true;
}

/* The current thread goes to sleep. */
static __always_inline int wait_sleeps(bool preempted, struct task_struct *task, bool modern)
{
	struct loop_thread *lt;
	struct call_args a;
	int nr;

	if (preempted || !sleeps_for_events(task_state(task)))
		return 0;
	nr = task_syscall(task, modern);
	if (!waits(nr, 1, 1) || !call_arguments(task, modern, &a) || !waits(nr, a.arg[0], a.arg[1]))
		return 0;
	lt = loop_thread_get();
	if (!lt)
		return 0;
	if (!lt->inside && !lt->met) {
		lt->met = 1;
		call_waits(lt, nr, &a, false);
	}
	if (lt->inside)
		count_sleep(lt, task->pid);
	return 0;
}

/* A wait ends. Of a thread that is met only now it is not known how long it slept, unless it would have been met before. */
static __always_inline int wait_ends(struct pt_regs *regs, int nr, long ret)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct loop_thread *lt = bpf_map_lookup_elem(&loop_threads, &tid);
	bool known = lt || filter_pids || filter_comm;
	struct call_args a = {};

	if (lt && (lt->met || lt->inside)) {
		wait_returns(ret);
		lt->met = 0;
		return 0;
	}
	a.arg[0] = call_arg1(regs);
	a.arg[1] = REG_ARG2(regs);
	a.arg[2] = REG_ARG3(regs);
	a.arg[3] = REG_CALL4(regs);
	if (!loops_seeded || !waits(nr, a.arg[0], a.arg[1]) || current_is_32bit())
		return 0;
	lt = loop_thread_get();
	if (!lt || !call_waits(lt, nr, &a, true))
		return 0;
	if (!known)
		lt->knows &= ~KNOWS_BLOCKED;
	return wait_returns(ret);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(loop_sleeps, bool preempt, struct task_struct *prev)
{
	return wait_sleeps(preempt, prev, true);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(loop_sleeps_old, bool preempt, struct task_struct *prev)
{
	return wait_sleeps(preempt, prev, false);
}

/* Runs for every system call of the host: most end here. */
SEC("tp_btf/sys_exit")
int BPF_PROG(loop_returns, struct pt_regs *regs, long ret)
{
	int nr = syscall_nr(regs);

	if (nr == NR_EPOLL_CTL)
		return control_call(regs, ret);
	if (nr == NR_EPOLL_CREATE1 || nr == NR_EPOLL_CREATE)
		return instance_made(ret);
	if (!waits(nr, 1, 1) || ret == -ENOSYS) /* epoll_pwait2 before 5.11 */
		return 0;
	return wait_ends(regs, nr, ret);
}

#endif
