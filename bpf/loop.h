/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The part of event.h that is about event loops. */
#ifndef BELTRACE_LOOP_H
#define BELTRACE_LOOP_H

/* In which call a loop waits. Of the last two there is one a thread: they have no descriptor of their own. */
enum loop_kind {
	LOOP_NONE,
	LOOP_EPOLL,
	LOOP_POLL,
	LOOP_SELECT,
};

#define READY_EXACT 32
#define READY_BUCKETS 40 /* 0 to 31 ready descriptors, each by itself; then 32 to 63, 64 to 127 … 4096 and more */

struct loop_key {
	__u32 tid;
	__s32 fd; /* the epoll instance; else minus the enum loop_kind */
};

/*
 * What a thread found in its waits since it is watched. blocked and busy are those of the waits that are over. A copy
 * that is made from the start to the end is whole if done equals begun.
 */
struct loop {
	__u32 done; /* written last */
	__u32 pid;
	__u64 since;	/* CLOCK_MONOTONIC, ns */
	__u64 entered;	/* the wait that it is in, as far as it is watched; 0: in none */
	__u64 returned; /* the last one; 0: none has yet */
	__u64 blocked;	/* ns inside waits */
	__u64 busy;	/* ns from the return of one to the next */
	__u64 waits;	/* that returned */
	__u64 empty;	/* of them: without a ready descriptor */
	__u64 failed;	/* with an error: a signal came */
	__u64 polls;	/* empty ones that were not to wait: a timeout of 0 */
	__u64 spurious; /* wake-ups after which it slept again in the same wait */
	__u32 ready[READY_BUCKETS];
	__u32 most; /* ready descriptors of one wait */
	__u32 max;  /* that one may return; 0: not known */
	__u8 comm[COMM_LEN];
	__u32 kind; /* enum loop_kind */
	__u32 begun;
	__u64 ep;    /* the address of its epoll instance; 0: not known */
	__u64 ep_at; /* when it was last looked at whose the descriptor is */
};

/*
 * An epoll instance (struct eventpoll), by its address: what epoll_ctl did since it is watched. A descriptor that is
 * closed leaves an instance without epoll_ctl.
 */
struct instance {
	__u64 since; /* CLOCK_MONOTONIC, ns */
	__u64 added;
	__u64 modified;
	__u64 removed;
	__u32 pid;    /* who was seen to use it first */
	__u8 gone;    /* it was closed: whatever has its address now is another one */
	__u8 partial; /* of some of its descriptors it is not counted how often they were ready: there was no room */
	__u8 pad[2];
};

/* A descriptor of an instance, by the number that it had when it was added. */
struct ready_key {
	__u64 ep;
	__s32 fd;
	__u32 pad;
};

/*
 * How often its file said that it is ready, for something that it is watched for: whatever was added since. A file says so
 * with all that comes, whether the loop has taken what came before or not.
 */
struct ready_count {
	__u64 times; /* since this is watched */
	__u64 last;  /* CLOCK_MONOTONIC, ns */
	__u64 mark;  /* times, when epoll_ctl was last called to add it */
	__u64 base;  /* times, when it was added: it tells less the base */
};

/* Which of the values of a wait are known. */
enum wait_knows {
	KNOWS_BLOCKED = 1 << 0, /* it began while we watched */
	KNOWS_BUSY = 1 << 1,	/* it was not the first */
	KNOWS_TIMEOUT = 1 << 2,
};

/* A wait returned. */
struct wait_event {
	struct event e;
	__u64 blocked;
	__u64 busy;
	__s64 timeout_ms; /* -1: for ever */
	__s32 fd;
	__s32 ret; /* ready descriptors, or an error */
	__u32 max;
	__u32 knows; /* enum wait_knows */
};

/* A thread slept in another call between two waits of its loop: told when the second one returns. */
struct stall_event {
	struct event e;
	__u64 off_ns;
	__u32 what;   /* enum thread_wait */
	__s32 fd;     /* of the epoll instance, or minus the enum loop_kind */
	__u32 behind; /* descriptors that were ready when it came back */
	__u32 times;  /* such sleeps between the two waits */
	__u64 busy;   /* ns from one to the other */
};

#define LISTED_BYTES 512

/* What a poll or select waits for, as it was at some call of the last second. */
struct loop_list {
	__u64 ts;
	__u32 n; /* descriptors of a poll; of a select: the highest one and one */
	__u32 known;
	__u8 bytes[2 * LISTED_BYTES]; /* struct pollfd, at most 64; or three fd_set; then slack for the verifier */
};

_Static_assert(sizeof(struct loop_key) == 8, "struct loop_key");
_Static_assert(sizeof(struct loop) == 296, "struct loop");
_Static_assert(sizeof(struct instance) == 40, "struct instance");
_Static_assert(sizeof(struct ready_key) == 16, "struct ready_key");
_Static_assert(sizeof(struct ready_count) == 32, "struct ready_count");
_Static_assert(sizeof(struct wait_event) == 160, "struct wait_event");
_Static_assert(sizeof(struct stall_event) == 152, "struct stall_event");

#endif
