/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The part of event.h that is about io_uring. */
#ifndef BELTRACE_URING_H
#define BELTRACE_URING_H

/* How an operation came to its completion. */
enum uring_how {
	HOW_UNKNOWN,
	HOW_INLINE, /* within the call that submitted it */
	HOW_POLL,   /* its file was waited for */
	HOW_IOWQ,   /* a worker thread did it */
	HOWS,
};

#define BATCH_BUCKETS 16 /* powers of two; the last is for the rest */

/* How much was taken at a time. */
struct batches {
	__u64 count;
	__u64 sum;
	__u64 buckets[BATCH_BUCKETS];
};

/* A ring, by the address of its io_ring_ctx. */
struct ring {
	__u64 created;	  /* 0: it was there before */
	__u64 overflow;	  /* completions that found the queue full */
	__u64 operations; /* completions: what a reader needs to see that something happened */
	struct batches submits;
	struct batches reaps;
	__u32 in_batch; /* submissions of the present or last call */
	__u32 cq_head;
	__u32 number; /* within the process, from 1 */
	__s32 fd;     /* -1: not known */
	__u32 pid;
	__u32 sq_entries;
	__u32 cq_entries;
	__u32 setup; /* IORING_SETUP_* */
	__u8 comm[COMM_LEN];
	__u8 watched;
	__u8 looked; /* cq_head was read */
	__u8 pad[2];
	__u32 tid; /* the thread whose submission was last taken; 0: none was */
};

/*
 * Buckets of latencies: below 4 ns one each, then four for each power of two, up to 2^41 ns.
 */
#define LATENCY_BUCKETS 160

#define OP_UNKNOWN 0xff /* the operation was submitted before the watch */

struct ring_op_key {
	__u64 ring;
	__u32 op;
	__u32 pad;
};

/*
 * What one kind of operation came to. In flight are those submitted and not skipped, less the completions that are neither
 * followed by more nor strange: what is rare is counted, for the sake of what is not.
 */
struct ring_op {
	__u64 submitted;
	__u64 skipped;	 /* submissions that may never have a completion, or are not looked for */
	__u64 how[HOWS]; /* completions */
	__u64 errors;
	__u64 more;    /* completions after which a multishot operation goes on */
	__u64 strange; /* last completions of what was not seen to be submitted, or was skipped */
	__u64 linked;
	__u64 fixed;
	__u64 direct;
	__u64 max; /* ns */
	__u64 latency[LATENCY_BUCKETS];
};

/* A submission or a completion. */
struct uring_event {
	struct event e;
	__u64 user_data;
	__u64 latency; /* HAS_DURATION */
	__u32 ring;
	__s32 res;
	__u8 op;
	__u8 how;
	__u8 pad[6];
};

_Static_assert(sizeof(struct uring_event) == 152, "struct uring_event");

#endif
