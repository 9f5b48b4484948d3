/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The only definition of what travels from the kernel to user space. Go reads the same structs through types that
 * bpf2go generates from BTF: nothing is mirrored by hand.
 */
#ifndef BELTRACE_EVENT_H
#define BELTRACE_EVENT_H

#include <linux/types.h>

enum event_kind {
	EVENT_NONE,
	EVENT_CONNECT,
	EVENT_SYN,
	EVENT_ESTABLISHED,
	EVENT_ACCEPT,
	EVENT_RETRANSMIT,
	EVENT_RESET,
	EVENT_CLOSE,
	EVENT_LISTEN,
	EVENT_UNLISTEN,
	EVENT_QUEUE,
	EVENT_MARK,
	EVENT_SYN_DROP,
	EVENT_ACCEPT_ERROR,
	EVENT_THREAD,
	EVENT_TURN,
	EVENT_OFFCPU,
	EVENT_WAIT,
	EVENT_STALL,
	EVENT_READ,
	EVENT_WRITE,
	EVENT_READABLE,
	EVENT_URING_SUBMIT,
	EVENT_URING_COMPLETE,
	EVENT_ONCPU,
};

enum turn_dir {
	TURN_NONE,
	TURN_IN,  /* the application read */
	TURN_OUT, /* it wrote */
};

enum sock_role {
	ROLE_NONE,
	ROLE_CLIENT,
	ROLE_SERVER,
	ROLE_LISTENER,
};

/* Who ended it, who sent the segment. */
enum event_side {
	SIDE_NONE,
	SIDE_LOCAL,
	SIDE_REMOTE,
};

enum end_reason {
	REASON_NONE,
	REASON_FIN,	 /* orderly */
	REASON_ERROR,	 /* see error */
	REASON_ABORTED,	 /* closed without FIN by its own side, no error on the socket */
	REASON_LISTENER, /* still queued when its listener closed */
	REASON_SYNACK,	 /* of a retransmit: a listener's SYN-ACK */
};

/* Of a handshake, which segment was refused. */
enum drop_stage {
	STAGE_NONE,
	STAGE_SYN,
	STAGE_ACK,
};

/* Why it was, as the kernel's code decides it. */
enum drop_cause {
	CAUSE_UNKNOWN,
	CAUSE_ACCEPT_QUEUE, /* the accept queue was full */
	CAUSE_SYN_QUEUE,    /* the SYN queue was full, and there are no cookies */
	CAUSE_SYN_BACKLOG,  /* a quarter or less of tcp_max_syn_backlog was left, and there are no cookies */
	CAUSE_OTHER,
	CAUSES,
};

/* Which fields of an event are known. */
enum event_has {
	HAS_OWNER = 1 << 0,    /* pid, tid, comm */
	HAS_LOCAL = 1 << 1,    /* laddr, lport */
	HAS_REMOTE = 1 << 2,   /* raddr, rport */
	HAS_LISTENER = 1 << 3, /* listener, and its address */
	HAS_HANDSHAKE = 1 << 4,
	HAS_RTT = 1 << 5,
	HAS_WAIT = 1 << 6,
	HAS_FD = 1 << 7,
	HAS_QUEUES = 1 << 8, /* accept_queue, backlog */
	HAS_SYN_QUEUE = 1 << 9,
	HAS_ASKED = 1 << 10,
	HAS_TOTALS = 1 << 11,
	HAS_DURATION = 1 << 12,
	HAS_DROPS = 1 << 13,
	HAS_PRE_EXISTING = 1 << 14,
	HAS_ERROR = 1 << 15,
	HAS_NEW_COOKIE = 1 << 16, /* the SYN was answered with a cookie */
	HAS_QUEUED = 1 << 17,	  /* in an accept queue at the time of the event */
	HAS_REFUSALS = 1 << 18,	  /* overflows, refused, cookies_sent, cookies_ok */
	HAS_ACKS = 1 << 19,	  /* acks */
	HAS_SETTINGS = 1 << 20,	  /* of the network namespace */
	HAS_CALL = 1 << 21,
	HAS_ELSEWHERE = 1 << 22, /* taken by a process that the filter leaves out */
};

#define COMM_LEN 16

/* The head of every event; kinds with more to say put it first in a struct of their own. */
struct event {
	__u64 ts;	/* CLOCK_MONOTONIC, ns */
	__u64 conn;	/* socket cookie, or our own number where there is no cookie helper */
	__u64 listener; /* the listener's */
	__u32 has;	/* enum event_has */
	__u8 kind;	/* enum event_kind */
	__u8 family;	/* 4, 6, 0: no addresses */
	__u8 role;	/* enum sock_role */
	__u8 side;	/* enum event_side */
	__u32 cpu;
	__u32 netns;
	__u32 pid;
	__u32 tid;
	__u8 comm[COMM_LEN];
	__u8 laddr[16]; /* IPv4: the first four bytes */
	__u8 raddr[16];
	__u8 listener_addr[16];
	__u16 lport; /* host order */
	__u16 rport;
	__u16 listener_port;
	__u8 listener_family;
	__u8 reason; /* enum end_reason */
};

struct established_event {
	struct event e;
	__u64 handshake_ns;
	__u32 rtt_us;
	__u32 pad;
};

struct accept_event {
	struct event e;
	__u64 wait_ns;
	__u32 accept_queue;
	__u32 backlog;
	__s32 fd;
	__u32 pad;
};

struct close_event {
	struct event e;
	__u64 bytes_in;
	__u64 bytes_out;
	__u64 duration_ns;
	__u32 rtt_us;
	__u32 retransmits;
	__s32 error; /* positive errno */
	__u32 pad;
};

/* Of a listener: syn, listen, unlisten, queue. */
struct queue_event {
	struct event e;
	__u64 drops; /* sk_drops */
	__u32 syn_queue;
	__u32 accept_queue;
	__u32 backlog;
	__u32 asked;
};

/* A sample of a listener: its queues, what it has refused since the watch began, and its namespace's settings. */
struct sample_event {
	struct queue_event q;
	__u64 overflows;
	__u64 refused;
	__u64 acks;	   /* final ACKs */
	__u64 cookie_acks; /* of them, those on a SYN cookie */
	__u64 cookies_sent;
	__u64 cookies_ok;
	__u32 young;
	__u32 somaxconn;
	__u32 max_syn_backlog;
	__u8 syncookies;
	__u8 abort_on_overflow;
	__u16 pad;
};

/* A SYN or final ACK that was refused. */
struct drop_event {
	struct event e;
	__u32 syn_queue;
	__u32 accept_queue;
	__u32 backlog;
	__u16 kernel_reason; /* enum skb_drop_reason; 0: none */
	__u8 stage;	     /* enum drop_stage */
	__u8 cause;	     /* enum drop_cause */
};

struct accept_error_event {
	struct event e;
	__s32 error; /* positive errno */
	__u32 pad;
};

struct mark_event {
	struct event e;
	__u64 id;
	__u64 phase; /* 0 begin, 1 end */
	__u8 name[16];
};

#include "thread.h"
#include "found.h"
#include "loop.h"
#include "uring.h"

#define RING_CALL 0x8000 /* in place of a system call: the opcode of an operation of io_uring */

#define HEAD_LEN 256 /* a power of two */

/* Bytes that moved in one direction until the other side spoke. Times are 0 where they were not seen. */
struct turn_event {
	struct event e; /* its owner: the thread of the first call */
	__u64 pos;	/* of the first byte: payload bytes of this direction before it */
	__u64 bytes;
	__u64 readable;
	__u64 waking;
	__u64 runnable;
	__u64 oncpu;
	__u64 first; /* the first call returned */
	__u64 last;  /* the last one */
	__u64 sent;
	__u64 acked;
	__u64 latency;
	__u64 running; /* of an answer: the CPU time of the thread that had read the request, since then; 0: not known */
	__u64 runqueue; /* of its own thread, the time without a CPU since then, or, if another one had read it, since its last sleep */
	__u64 other; /* of a request, or of an answer if another thread had read: when this one last read one or began an answer */
	__u64 nagle;  /* written bytes stayed since earlier ones were not acknowledged (Nagle's algorithm) */
	__u64 window; /* since the receiver's window was full */
	__u32 calls;
	__u32 last_tid;
	__s32 fd;
	__u16 nr; /* of the system call; RING_CALL */
	__u16 head_len;
	__u8 dir; /* enum turn_dir */
	__u8 pad[3];
	__u32 no;	     /* of the connection's turns of this direction, from 1; 0: of none */
	__u8 head[HEAD_LEN]; /* the first bytes */
};

#define DETAIL_LEN 4096 /* how many of a call's bytes may follow a move_event; a power of two */

/* Bytes that one call moved, or that came (readable). Times are 0 where they were not seen. */
struct move_event {
	struct event e;
	__u64 pos;
	__u64 bytes;
	__u64 latency; /* from the entry of TCP's function to its return */
	__u64 readable;
	__u64 waking;
	__u64 runnable;
	__u64 oncpu;
	__u64 sent;
	__u32 unread;
	__s32 fd;
	__u16 nr; /* of the system call; RING_CALL */
	__u16 head_len;
	__u8 detail; /* user space wants each call of this connection: the first bytes follow */
	__u8 pad[3];
};

/* The sizes that user space expects: a change here is a change of the wire. */
_Static_assert(sizeof(struct event) == 120, "struct event");
_Static_assert(sizeof(struct established_event) == 136, "struct established_event");
_Static_assert(sizeof(struct accept_event) == 144, "struct accept_event");
_Static_assert(sizeof(struct close_event) == 160, "struct close_event");
_Static_assert(sizeof(struct queue_event) == 144, "struct queue_event");
_Static_assert(sizeof(struct mark_event) == 152, "struct mark_event");
_Static_assert(sizeof(struct sample_event) == 208, "struct sample_event");
_Static_assert(sizeof(struct drop_event) == 136, "struct drop_event");
_Static_assert(sizeof(struct accept_error_event) == 128, "struct accept_error_event");

/* What a tally counts. */
enum tally_what {
	TALLY_NONE,
	TALLY_SYN,	    /* code: enum drop_cause */
	TALLY_ACK,	    /* the same */
	TALLY_COOKIE_SENT,  /* SYN-ACKs */
	TALLY_COOKIE_OK,    /* connections */
	TALLY_UNREACHED,    /* SYNs that did not reach a listener; code: enum skb_drop_reason */
	TALLY_ACCEPT_ERROR, /* code: errno */
	TALLY_ACCEPT_EMPTY, /* accepts that found nobody */
	TALLY_COOKIE_ACK,   /* of TALLY_ACK, those on a SYN cookie: the socket counts each once, not twice */
};

/*
 * Exact counters of what may happen more often than records can be sent. id: the listener's; or its network namespace
 * and port, where it is not known which one it is.
 */
struct tally_key {
	__u64 id;
	__u32 tid; /* of an accept error */
	__u16 code;
	__u8 what; /* enum tally_what */
	__u8 pad;
};

/*
 * total counts all, sent those with a record of their own; sent goes first, and is read last, so that nobody ever finds
 * more to report than has happened.
 */
struct tally {
	struct event e; /* whom it is about */
	__u64 total;
	__u64 sent;
	__u64 second; /* of the rate limit */
	__u32 in_second;
	__u32 pad;
};

_Static_assert(sizeof(struct tally_key) == 16, "struct tally_key");
_Static_assert(sizeof(struct tally) == 152, "struct tally");
_Static_assert(sizeof(struct move_event) == 200, "struct move_event");
_Static_assert(sizeof(struct thread_event) == 680, "struct thread_event");
_Static_assert(sizeof(struct turn_event) == 528, "struct turn_event");

/* Why something is missing: one counter a CPU each. */
enum lost_where {
	LOST_RING,   /* the ring buffer was full */
	LOST_MAP,    /* no room for the state of a socket */
	SAVED,	     /* not lost: state changes that only a further copy of the program saw */
	NOT_SAMPLED, /* turns of connections that are left out: see sample_mask */
	LOST_PLACES,
};

/* Everything that user space reads, in one type: it keeps them all in the object's BTF, from which Go's are made. */
union wire {
	struct event event;
	struct established_event established;
	struct accept_event accept;
	struct close_event close;
	struct queue_event queue;
	struct mark_event mark;
	struct sample_event sample;
	struct drop_event drop;
	struct accept_error_event accept_error;
	struct thread_event thread;
	struct turn_event turn;
	struct move_event move;
	struct offcpu_event offcpu;
	struct stack stack;
	struct wait_event wait;
	struct stall_event stall;
	struct loop_key loop_key;
	struct loop loop;
	struct loop_list loop_list;
	struct uring_event uring;
	struct ring ring;
	struct ring_work ring_work;
	struct ring_count ring_count;
	struct ring_op_key ring_op_key;
	struct ring_op ring_op;
	enum uring_how how;
	enum turn_dir dir;
	struct owner owner;
	struct inhabitant inhabitant;
	struct tally_key tally_key;
	struct tally tally;
	enum event_kind kind;
	enum sock_role role;
	enum event_side side;
	enum end_reason reason;
	enum drop_stage stage;
	enum drop_cause cause;
	enum tally_what what;
	enum event_has has;
	enum thread_state state;
	enum thread_wait in;
	enum loop_kind loop_kind;
	enum wait_knows knows;
	enum lost_where where;
};

#endif
