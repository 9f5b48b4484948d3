/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The part of event.h that is about threads. */
#ifndef BELTRACE_THREAD_H
#define BELTRACE_THREAD_H

/* What a thread does. THREAD_NEW: not known yet, nothing is counted. */
enum thread_state {
	THREAD_NEW,
	THREAD_RUNNING,
	THREAD_RUNQUEUE,
	THREAD_BLOCKED,
	THREAD_ENDED,
};

/* What a thread is blocked in: the number of a system call plus one, or what is none. 0: nothing. */
enum thread_wait {
	WAIT_FAULT = 0x10000, /* in no system call: a page fault */
	WAIT_STOPPED,	      /* by a signal, a debugger or a freezer */
	WAIT_THROTTLED,	      /* its cgroup has used up its quota: it would run */
	WAIT_WORKER,	      /* a thread of io_uring that waits for work */
	WAIT_UNKNOWN,	      /* its registers cannot be read */
	WAIT_OTHER,	      /* in more calls than there are places for */
};

#define THREAD_WAITS 12			/* kinds of waits told apart per thread; the last is for the rest */
#define THREAD_PARTS (THREAD_WAITS + 2) /* running, in the run queue, and each of its waits */
#define NO_CPU 0xffffffff

/*
 * What a thread did since it is watched. first + running + runqueue + all of blocked is since. A copy that is made from
 * the start to the end is whole if done equals begun: they count the changes.
 */
struct thread {
	__u32 done; /* written last */
	__u8 state; /* enum thread_state */
	__u8 slot;  /* of blocked: the present or last wait */
	__u16 pad;
	__u64 first; /* CLOCK_MONOTONIC, ns */
	__u64 since; /* when it came into its state */
	__u64 running;
	__u64 runqueue;
	__u64 blocked[THREAD_WAITS];
	__u64 switches;
	__u64 migrations;
	__u32 what[THREAD_WAITS]; /* enum thread_wait, of blocked */
	__u32 pid;
	__u32 cpu;	     /* where it ran last; NO_CPU: not seen */
	__u8 comm[COMM_LEN]; /* of its process */
	__u64 left;	     /* when it last left a CPU */
	__u64 came;	     /* when it had come to that one; 0: not seen */
	__u64 waking;	     /* when it was last told to wake up */
	__u64 runnable;	     /* when it was last put on a run queue after a sleep */
	__u64 queued;	     /* runqueue, when it last was put on a run queue after a sleep */
	__u64 moved;	     /* when it last read a request or began an answer */
	__u64 serves; /* the connection of the last of the requests that it has read and not answered; 0: not known */
	__u64 target; /* the socket that it waits for meanwhile, its address */
	__s32 fd;     /* first argument of the call that it waits in meanwhile */
	__u32 asked;  /* how many requests it has read and not answered */
	__u32 told;   /* it is told how long it is off its CPU; TOLD_WHOLLY: also of a CPU that it lost */
	__u32 begun;  /* written first */
	__u64 calls;  /* system calls that it has made since the set calls is attached; it alone counts them */

	__u64 gaps;    /* times from one of its accepts to the next while the next connection waited: see pace.bpf.h */
	__u64 part_ns; /* how long connections waited in others */
	__u64 in_gaps[THREAD_PARTS]; /* what it did in the gaps: the parts of struct thread, in their order */
	__u64 before[THREAD_PARTS];  /* all that it had done at its last accept */
	__u64 accepted;		     /* when that was; 0: not known */
};

#define TOLD_WHOLLY 2

#define STACK_FRAMES 16

/* Where a thread is in its program: addresses, the innermost first; then zeros. It follows a record that has one. */
struct stack {
	__u64 ip[STACK_FRAMES];
};

/* A thread that had a request to answer, or whose process somebody looks at, came back to a CPU. */
struct offcpu_event {
	struct event e; /* raddr: of the socket that it waited for */
	__u64 ran_ns;	/* on a CPU before; 0: not seen */
	__u64 off_ns;
	__u64 runqueue_ns;
	__u32 what; /* enum thread_wait, of a sleep */
	__s32 fd;
};

_Static_assert(sizeof(struct offcpu_event) == 152, "struct offcpu_event");

/* A thread ended. */
struct thread_event {
	struct event e;
	struct thread t;
};

#endif
