/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What is known of the bytes of one connection. Programs see its calls and segments after the socket's lock was let go, on
 * several CPUs at the same time, and late: an answer's acknowledgement, even the next request, may be seen before the
 * program of the answer's call has run. So each direction has a half of its own with one writer at a time, and where a turn
 * begins the streams say: the bytes that were written when it was read are no answer to it.
 */
#ifndef BELTRACE_FLOW_BPF_H
#define BELTRACE_FLOW_BPF_H

#include "serve.bpf.h"

#define MAX_FLOWS 65536
#define MAX_CUTS 4 /* a power of two */

/* Who writes a half, and how often that was done. */
struct guard {
	__u32 busy;
	__u32 done;
	__u32 left; /* somebody found it busy: there may be more to do */
	__u32 pad;
};

struct flow {
	__u64 in_pos;	/* payload bytes that the application has read */
	__u64 out_pos;	/* that it has written */
	__u64 readable; /* since when unread bytes are there; 0: none are */
	__u64 came;	/* when bytes came last */
	__u64 told;	/* when a turn was last written */
	__u64 probed;	/* the last segment came in */
	__u64 hold;	/* written bytes are not sent: since when that was not looked at; 0: all are */
	__u64 nagle;	/* why: see turn_event */
	__u64 window;
	__u64 ready_pos; /* up to which bytes were told as readable */
	__u64 acked;	 /* when all up to acked_end was acknowledged */
	__u64 sent;	 /* when all up to sent_end was sent */
	__u32 acked_end;
	__u32 told_end; /* with its acknowledgement a turn was told up to here */
	__u32 sent_end;
	__u32 out_end;	      /* sequence number behind what was written */
	__u32 in_end;	      /* behind what was read */
	__u32 in_no;	      /* number of the present turn in, from 1 */
	__u32 out_no;	      /* the turn in before the present turn out */
	__u32 in_told;	      /* the last turn in that was told when it was over */
	__u32 out_told;	      /* the last turn out */
	__u32 in_out;	      /* write_seq at the last call that read */
	__u32 cuts[MAX_CUTS]; /* write_seq when the turn in of a number began */
	__u32 netns;
	__u32 unread_told; /* bytes that waited when that was told last, and 1; 0: it was not */
	__u8 known_in;
	__u8 known_out;
	__u8 detail; /* user space wants each call */
	__u8 parts;  /* of the turn, acknowledged within their calls */
	__u8 mute;   /* of all this only hold, nagle, window and out.pos are kept */
	__u8 pad[3];
	struct guard in_guard, out_guard;
	struct serving serving;
	struct turn_event in; /* the present turns, as they will be written */
	struct turn_event out;
	__u8 slack[2 * HEAD_LEN]; /* behind the head: so far the verifier thinks that a copy may reach */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct flow);
} flows SEC(".maps");

static __always_inline struct flow *flow_of(struct sock *sk)
{
	__u64 key = (__u64)sk;
	return bpf_map_lookup_elem(&flows, &key);
}

/* False: somebody else is writing, and will take what came meanwhile, too. */
static __always_inline bool guard_enter(struct guard *g)
{
	__sync_fetch_and_add(&g->busy, 1);
	if (READ_NOW(g->busy) == 1)
		return true;
	WRITE_NOW(g->left, 1);
	__sync_fetch_and_add(&g->busy, -1);
	return false;
}

static __always_inline void guard_leave(struct guard *g)
{
	__sync_fetch_and_add(&g->done, 1);
	__sync_fetch_and_add(&g->busy, -1);
	if (READ_NOW(g->left))
		WRITE_NOW(g->left, 0);
}

/* The number of the turn that bytes written from this sequence number on belong to. */
static __always_inline __u32 turn_at(struct flow *flow, __u32 seq)
{
	__u32 no = READ_NOW(flow->in_no);

	for (int i = 1; i < MAX_CUTS && no; i++, no--) {
		if ((__s32)(seq - READ_NOW(flow->cuts[no & (MAX_CUTS - 1)])) >= 0)
			break;
	}
	return no;
}

/* When all that the turn out has was acknowledged; 0: it was not. */
static __always_inline __u64 acked_at(struct flow *flow)
{
	__u64 at = flow->acked;
	return at && flow->acked_end == flow->out_end ? at : 0;
}

/* Whether it was told with its acknowledgement. */
static __always_inline bool told_acked(struct flow *flow)
{
	return acked_at(flow) && flow->told_end == flow->out_end;
}

#endif
