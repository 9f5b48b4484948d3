/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Where in its program a thread goes to sleep. Asked for, as taking a stack costs as much as the rest of a switch does:
 * for threads that have requests to answer of processes that user space names, and for threads of event loops within a
 * handler, where it is limited.
 *
 * What is found are the addresses that the frame pointers lead to (perf_callchain_user): code without them is passed over,
 * and what follows may be anything. Memory that is not there is not read.
 */
#ifndef BELTRACE_STACK_BPF_H
#define BELTRACE_STACK_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"
#include "callnumbers.h"

#define MAX_STACKS 1024
#define MAX_STACK_PIDS 256
/* A loop's thread goes to sleep, and nobody knows yet whether for long: so many are taken in such a time, in ns. */
#define STACKS_OF_HANDLER 16
#define STACKS_EVERY 10000000

/* Of a thread that sleeps. */
struct thread_stack {
	__u64 at;    /* when it left its CPU */
	__u64 since; /* of the limit */
	__u64 taken; /* since then */
	struct stack now;
	struct stack stall; /* of its longest sleep since the wait of its loop returned; empty: none, or not known */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_STACKS);
	__type(key, __u32); /* tid */
	__type(value, struct thread_stack);
} stacks SEC(".maps");

/* Processes whose stacks are asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_STACK_PIDS);
	__type(key, __u32);
	__type(value, __u8);
} stack_pids SEC(".maps");

/* It is too large for the stack. */
const struct thread_stack no_stack = {};

static __always_inline struct thread_stack *stack_of(__u32 tid)
{
	return bpf_map_lookup_elem(&stacks, &tid);
}

/* Somebody looks at a request of its process. */
static __always_inline bool looked_at(struct thread *t)
{
	__u32 pid = t->pid;

	return stacks_on && bpf_map_lookup_elem(&stack_pids, &pid);
}

/* It has requests to answer, and somebody looks at what becomes of them. */
static __always_inline bool stack_asked(struct thread *t)
{
	return t->asked && (emit_stacks || looked_at(t));
}

/* It goes to sleep in what is not the wait of its event loop. */
static __always_inline bool in_handler(__u32 tid, __u32 what)
{
	struct loop_thread *lt;

	if (!loops_on || what == NR_EPOLL_WAIT + 1 || what == NR_EPOLL_PWAIT + 1 || what == WAIT_WORKER)
		return false;
	lt = bpf_map_lookup_elem(&loop_threads, &tid);
	return lt && !lt->inside;
}

/* Counts a stack of a loop's thread. False: there were too many. */
static __always_inline bool within_limit(struct thread_stack *s, __u64 now)
{
	if (now - s->since >= STACKS_EVERY) {
		s->since = now;
		s->taken = 0;
	}
	s->taken += 1;
	return s->taken <= STACKS_OF_HANDLER;
}

/* The current thread is about to sleep, since now, in what. */
static __always_inline void note_stack(void *ctx, struct thread *t, __u32 tid, __u32 what, __u64 now)
{
	bool asked = stack_asked(t);
	struct thread_stack *s;

	if (!asked && !in_handler(tid, what))
		return;
	s = stack_of(tid);
	if (!s) {
		bpf_map_update_elem(&stacks, &tid, &no_stack, BPF_NOEXIST);
		s = stack_of(tid);
	}
	if (!s || (!asked && !within_limit(s, now)))
		return;
	s->at = now;
	if (bpf_get_stack(ctx, s->now.ip, sizeof(s->now.ip), BPF_F_USER_STACK) < 0)
		s->now.ip[0] = 0;
}

/* Of the sleep that began when it left its CPU; NULL: not known. */
static __always_inline struct stack *stack_of_sleep(__u32 tid, __u64 left)
{
	struct thread_stack *s = emit_stacks || stacks_on ? stack_of(tid) : 0;

	return s && s->at == left && s->now.ip[0] ? &s->now : 0;
}

/* The sleep that is over is the longest one since its loop's wait returned. */
static __always_inline void keep_stack(__u32 tid, __u64 left)
{
	struct thread_stack *s = stack_of(tid);

	if (!s)
		return;
	if (s->at == left)
		__builtin_memcpy(&s->stall, &s->now, sizeof(s->stall));
	else
		s->stall.ip[0] = 0;
}

static __always_inline struct stack *stack_of_stall(__u32 tid)
{
	struct thread_stack *s = stack_of(tid);

	return s && s->stall.ip[0] ? &s->stall : 0;
}

/* Where a thread runs that has a request to answer: a sample, by the timer of its CPU. */
static __always_inline int sample_thread(void *ctx)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);
	struct stack *stack;
	struct event *e;

	if (!t || !stack_asked(t))
		return 0;
	e = event_new(EVENT_ONCPU, sizeof(*e) + sizeof(*stack));
	if (!e)
		return 0;
	e->conn = t->asked == 1 ? t->serves : 0;
	e->pid = t->pid;
	e->tid = tid;
	__builtin_memcpy(e->comm, t->comm, sizeof(e->comm));
	e->has = HAS_OWNER;
	stack = (struct stack *)(e + 1);
	if (bpf_get_stack(ctx, stack, sizeof(*stack), BPF_F_USER_STACK) > 0)
		event_send(e);
	else
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("perf_event")
int sample_stacks(void *ctx)
{
	return sample_thread(ctx);
}

/* A record with a stack behind it, if there is one. */
static __always_inline void *event_stack(__u8 kind, __u32 size, __u64 ts, struct stack *stack)
{
	void *e;

	if (!stack)
		return event_at(kind, size, ts);
	e = event_at(kind, size + sizeof(*stack), ts);
	if (e)
		__builtin_memcpy(e + size, stack, sizeof(*stack));
	return e;
}

#endif
