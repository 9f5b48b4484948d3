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

/* A ring, by the address of its io_ring_ctx; by its id once that is another one's, which is no such address. */
struct ring {
	__u64 id;
	__u64 created; /* 0: it was there before */
	__u32 number;  /* within the process, from 1 */
	__s32 fd;      /* -1: not known */
	__u32 pid;
	__u32 sq_entries;
	__u32 cq_entries;
	__u32 setup; /* IORING_SETUP_* */
	__u8 comm[COMM_LEN];
	__u8 watched;
	__u8 pad[7];
};

/*
 * An operation. Its io_kiocb names it; before 5.17 its completion does not tell which that is, but the ring and user_data,
 * which need not be unique.
 */
struct operation {
	__u64 ts;	/* of its submission; 0: it is not timed */
	__u64 of;	/* its ring; at a place of the ring's own: its io_kiocb */
	__u32 position; /* in the submission queue */
	__u32 same;	/* that are in flight by this key; 0: none is */
	__u8 op;
	__u8 how;
	__u8 skipped; /* its completion is not one of those in flight */
	__u8 mixed;   /* several were in flight: which one completes is not known */
	__u8 pad[4];
};

/* What is counted at every operation of a kind. Only one thread at a time submits to a ring, and one completes. */
struct ring_count {
	__u64 submitted;
	__u64 how[HOWS]; /* completions */
};

#define RING_OPS 64	/* kinds that are counted with the ring; the rest are in struct ring_op */
#define RING_PLACES 128 /* a power of two */

/* What a watched ring does, all that most operations need in one piece; by the same address. */
struct ring_work {
	__u64 id;	  /* its ring's */
	__u64 overflow;	  /* completions that found the queue full */
	__u64 operations; /* completions: what a reader needs to see that something happened */
	__u64 submitting; /* the io_kiocb that is submitted now; see number_of() */
	struct batches submits;
	struct batches reaps;
	__u64 paced;	   /* when it was last looked how fast the ring is */
	__u64 paced_count; /* submits.sum then */
	__u32 every;	   /* one in so many is timed, beginning at random; 0: all are */
	__u32 untimed;	   /* how many to leave out until the next one that is */
	__u32 in_batch;	   /* submissions of the present or last call */
	__u32 cq_head;
	__u32 tid;    /* the thread whose submissions were last taken; 0: none were */
	__u8 looked;  /* cq_head was read */
	__u8 sampled; /* some were not timed */
	__u8 pad[2];
	struct ring_count counts[RING_OPS];
	struct operation places[RING_PLACES]; /* of operations, by their io_kiocb's address; see place_of() */
};

/*
 * Buckets of latencies: below 4 ns one each, then four for each power of two, up to 2^41 ns.
 */
#define LATENCY_BUCKETS 160

#define OP_UNKNOWN 0xff /* the operation was submitted before the watch */

struct ring_op_key {
	__u64 ring; /* its id */
	__u32 op;
	__u32 pad;
};

/*
 * What one kind of operation came to. In flight are those submitted and not skipped, less the completions that are neither
 * followed by more nor strange: what is rare is counted, for the sake of what is not.
 */
struct ring_op {
	struct ring_count count; /* of kinds that have none with their ring */
	__u64 skipped;		 /* submissions that may never have a completion, or are not looked for */
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
