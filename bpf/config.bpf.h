/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Settings, fixed before the programs are loaded: the verifier removes what they switch off. */
#ifndef BELTRACE_CONFIG_BPF_H
#define BELTRACE_CONFIG_BPF_H

#include "helpers.bpf.h"

#define MAX_PORTS 16

const volatile __u32 self_tgid = 0; /* our own process is never watched */

const volatile __u32 filter_ports = 0; /* how many of filter_port are set; 0: any port */
const volatile __u16 filter_port[MAX_PORTS] = {};
const volatile __u32 filter_netns = 0; /* inode number; 0: any */
const volatile __u8 filter_pids = 0;   /* what processes must have in watched_pids; 0: any process */
const volatile bool filter_comm = false;
const volatile char filter_comm_name[16] = {};

const volatile bool copies = false;    /* programs are attached several times: a change may be missed by one of them */
const volatile bool payload = false;   /* the first bytes of turns may be looked at */
const volatile bool emit_read = false; /* a record for each call that moves bytes to the application */
const volatile bool emit_write = false;
const volatile bool emit_readable = false;
const volatile bool both_ends =
	false; /* the turns of a client whose server is watched on the same host are told, too */
const volatile bool emit_uring = false; /* a record for each operation of a ring; else they are only added up */
const volatile bool emit_syn = false;	/* a record for each SYN; else it is only stamped */

const volatile bool emit_stacks =
	false; /* with each sleep of a thread that serves a request; else of stack_pids only */

const volatile bool emit_waits = false; /* a record for each wait of an epoll loop; else they are only counted */

/* Numbers of enum skb_drop_reason, which move between kernels; 0: this kernel has no such reason. */
const volatile __u32 reason_listen_overflow = 0;
const volatile __u32 reason_no_socket = 0;

#define MAX_REASONS 256

const volatile __u8 unreached_reason[MAX_REASONS] = {}; /* those that end a SYN before it reaches its listener */

/*
 * Set when everything is attached. What happens before is left to the iterators, which find it as existing: nothing is
 * seen by some hooks only.
 */
bool armed;

__u32 held_tgid; /* that will become a command: until it does, its threads are the tool's own */

bool use_lineage; /* children are told by what they are copied from: no function of the accept queue is hooked */
bool in_connect;  /* connect() is hooked at its entry: it was called */

bool counts_refusals; /* every refusal and cookie is seen: samples say how many */
bool counts_acks;     /* only refused final ACKs are */
bool stacks_on;	      /* some of stack_pids are set */
bool loops_on;	      /* the hooks at waits are: loops are added as they are met */
bool spurious_on;     /* … where nothing else meets the sleeps of their threads */
bool loops_seeded;    /* those that waited when they were attached are known */
bool details_on;      /* there are connections in details */
__u32 sample_mask;    /* of the bits of a connection's number that must be 0 for its turns to be told */
__u64 sample_raised;  /* when it was last raised here */
__u64 sample_at;      /* how full the ring is when it is raised again */
__u64 data_since;     /* since when bytes are watched; 0: not yet */
bool sched_on;	      /* the scheduler's hooks are attached: threads are added as they are met */

#endif
