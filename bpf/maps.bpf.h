/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The maps, and the helpers that touch them from everywhere. */
#ifndef BELTRACE_MAPS_BPF_H
#define BELTRACE_MAPS_BPF_H

#include "helpers.bpf.h"
#include "event.h"

#define RING_SIZE (8 << 20)
#define MAX_SOCKS 131072
#define MAX_REQUESTS 65536
#define MAX_THREADS 8192
#define MAX_LOOPS 8192

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_SIZE); /* about 60,000 records: a second at saturation, when nobody reads */
	__type(value, union wire);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOST_PLACES);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

/* Numbers that we give ourselves where the kernel has none. A softirq counts by itself: it may interrupt whoever counts. */
enum own_numbers { OWN_CALL, OWN_SOFTIRQ, OWN_NUMBERS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OWN_NUMBERS);
	__type(key, __u32);
	__type(value, __u64);
} own_ids SEC(".maps");

/*
 * What is known of a socket, from its first event to its close. Keyed by address: the one identity that every kind of
 * program can look up, kprobes and 5.10 included. The entry is made anew whenever a socket starts, so an address that
 * is used again never inherits anything.
 */
union sock_place {
	struct {
		__u64 queued; /* entered the accept queue */
		__u64 established;
	} at;
	__u8 laddr[16]; /* of a listener */
};

struct sock_info {
	__u64 id;	   /* cookie; or own_id, of a child until it is established */
	__u64 listener_sk; /* address of its listener */
	__u64 start;	   /* connect() entered; SYN reached the listener; 0: not seen */
	union sock_place place;
	__u8 comm[COMM_LEN]; /* aligned: it is copied in words */
	__u32 pid;
	__u32 tid;
	__u32 asked; /* backlog that listen() was called with */
	__u16 lport; /* of a listener */
	__u8 family; /* of a listener: 4, 6 */
	__u8 role;
	__u8 watched;
	__u8 accepted;
	__u8 first_end; /* enum event_side: who sent the first FIN */
	__u8 has_asked;
	__u8 connect_done; /* EVENT_CONNECT is written */
	__u8 ended;	   /* it reached CLOSE; its memory is still there */
	__u8 last;	   /* enum tcp_state: the change that was handled last */
	__u8 by_function;  /* a hook at the accept queue's functions saw it */
	__u8 told;	   /* its addresses are written */
	__u8 skips;	   /* enum skips: its turns are left out */
	__u8 spoke;	   /* enum turn_dir, while they are */
	__u8 mute;	   /* enum mute: a client's turns are not told */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SOCKS);
	__type(key, __u64);
	__type(value, struct sock_info);
} socks SEC(".maps");

/* When a SYN made a request_sock, by its address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_REQUESTS);
	__type(key, __u64);
	__type(value, __u64);
} requests SEC(".maps");

/* What a process is watched by. */
enum watched_by { BY_PID = 1, BY_GROUP = 2 };

/* Processes that --pid and --container watch, and their children: bits of enum watched_by. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} watched_pids SEC(".maps");

/* Threads whose scheduling is watched. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

/* Processes that hold a watched listener or took one of its connections: their threads are worth watching. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} servers SEC(".maps");

/* A thread that has event loops. */
struct loop_thread {
	__s32 fd;	/* of the loop whose wait it is in, or was last; see struct loop_key */
	__u32 knows;	/* enum wait_knows, of this wait */
	__s64 timeout;	/* ms */
	__u64 listed;	/* when it was kept what its poll waits for */
	__u64 stall;	/* its longest sleep since it returned, in another call; 0: none was long */
	__u64 stall_at; /* when it began */
	__u32 stall_what;
	__u32 stalls; /* how many were long */
	__u8 inside;  /* it waits */
	__u8 epoll;   /* it waits in epoll: a poll is a call that blocks */
	__u8 polls;   /* that it made since */
	__u8 met;     /* it slept in the call that it is in, which was looked at then */
	__u8 slept;   /* it slept in the wait that it is in, as far as that is watched */
	__u8 pad[3];  /* a struct on the stack must be initialised to its end */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct loop_thread);
} loop_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LOOPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct loop_key);
	__type(value, struct loop);
} loops SEC(".maps");

/* How far a connect() has come. */
enum connect_stage {
	CONNECT_ENTERED,
	CONNECT_SENDING, /* the socket is in SYN_SENT: its state changes tell the rest */
	CONNECT_FAILED,	 /* it fell back to CLOSE within the call */
};

/* A thread inside connect(): what the entry of the call leaves for its return. */
struct connect_call {
	__u64 sk;
	__u64 ts;
	__u8 stage;
	__u8 family; /* of the address that was asked for: 4, 6, 0 */
	__u16 rport;
	__u32 pad;
	__u8 raddr[16];
};

/* A thread inside accept(). */
struct accept_call {
	__u64 child; /* 0: none taken yet */
	__u64 listener;
	__u64 ts;
	__u32 accept_queue;
	__u32 backlog;
	__s32 listen_fd;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct connect_call);
} connects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct accept_call);
} accepts SEC(".maps");

/* A thread inside listen(): the socket that it makes a listener, once there is one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} listens SEC(".maps");

/* Threads that were blocked in accept() when we came: hooks at its entry missed them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} blocked_acceptors SEC(".maps");

/* Listeners only: read through an iterator, which sees all network namespaces. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} listeners SEC(".maps");

static __always_inline void count_lost(__u32 where)
{
	__u64 *n = bpf_map_lookup_elem(&lost, &where);
	if (n)
		*n += 1;
}

/* A number that no cookie has: cookies count from 1, these from 2^52 (and stay exact in a double). */
static __always_inline __u64 own_id(enum own_numbers by)
{
	__u32 key = by;
	__u64 *n = bpf_map_lookup_elem(&own_ids, &key);
	if (!n)
		return 0;
	*n += 1;
	return (1ULL << 52) | ((__u64)bpf_get_smp_processor_id() << 40) | ((__u64)by << 39) | *n;
}

static __always_inline bool is_own(__u64 id)
{
	return id >> 52;
}

/* What a program on another CPU may write. */
#define READ_NOW(x) (*(volatile typeof(x) *)&(x))
#define WRITE_NOW(x, to) (*(volatile typeof(x) *)&(x) = (to))

static __always_inline void process_serves(__u32 tgid)
{
	__u8 one = 1;

	if (!bpf_map_lookup_elem(&servers, &tgid))
		bpf_map_update_elem(&servers, &tgid, &one, BPF_ANY);
}

static __always_inline void watch_process(__u32 tgid, __u8 by)
{
	__u8 *before = bpf_map_lookup_elem(&watched_pids, &tgid);

	if (before)
		*before |= by;
	else if (bpf_map_update_elem(&watched_pids, &tgid, &by, BPF_ANY))
		count_lost(LOST_MAP);
}

static __always_inline struct sock_info *info_of(const void *sk)
{
	__u64 key = (__u64)sk;
	return bpf_map_lookup_elem(&socks, &key);
}

/* Starts a socket's state anew; NULL when there is no room, which is counted. state: that it changes to, or 0. */
static __always_inline struct sock_info *info_new(const void *sk, __u8 state)
{
	struct sock_info zero = {.last = state};
	__u64 key = (__u64)sk;

	if (bpf_map_update_elem(&socks, &key, &zero, BPF_ANY)) {
		count_lost(LOST_MAP);
		return 0;
	}
	return bpf_map_lookup_elem(&socks, &key);
}

static __always_inline int info_end(const void *sk)
{
	__u64 key = (__u64)sk;
	bpf_map_delete_elem(&socks, &key);
	return 0;
}

/* A record of the given type, kind and time, zeroed; NULL when the ring is full, which is counted. */
static __always_inline void *event_at(__u8 kind, __u32 size, __u64 ts)
{
	struct event *e = bpf_ringbuf_reserve(&events, size, 0);
	if (!e) {
		count_lost(LOST_RING);
		return 0;
	}
	__builtin_memset(e, 0, size);
	e->kind = kind;
	e->ts = ts;
	e->cpu = bpf_get_smp_processor_id();
	return e;
}

/* One that is stamped now. */
static __always_inline void *event_new(__u8 kind, __u32 size)
{
	return event_at(kind, size, bpf_ktime_get_ns());
}

/* Never a wake-up: the reader comes by itself, which costs a ninth. */
static __always_inline void event_send(void *e)
{
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

#endif
