/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Event loops: threads that wait for whichever of many descriptors is ready first. What they find is added up here, a wait
 * is a record only when somebody asks for it.
 *
 * A poll of one descriptor that is no listener is a call that blocks, not a loop; and so is any poll or select of a thread
 * that waits in epoll, unless it makes several without going back there: Go's threads look into the runtime's epoll instance
 * before they do something else.
 */
#ifndef BELTRACE_LOOPS_BPF_H
#define BELTRACE_LOOPS_BPF_H

#include "sock.bpf.h"
#include "stall.bpf.h"
#include "instances.bpf.h"

/* What a poll or a select was last called with, by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LOOPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct loop_list);
} loop_lists SEC(".maps");

/* It is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct loop_list);
} no_list SEC(".maps");

/* As thread_wanted, of the current thread: here it is no typed pointer on every kernel. */
static __always_inline bool loop_wanted(__u32 tgid)
{
	__u8 comm[COMM_LEN] = {};
	struct task_struct *task;

	if (tgid == self_tgid || tgid == held_tgid)
		return false;
	if (!filter_pids && !filter_comm)
		return bpf_map_lookup_elem(&servers, &tgid) != 0;
	if (filter_comm) {
		task = (struct task_struct *)bpf_get_current_task();
		bpf_probe_read_kernel(comm, sizeof(comm), &BPF_CORE_READ(task, group_leader)->comm);
	}
	return process_wanted(tgid, comm);
}

/* Watches a loop from now on. NULL if there is no room, which is counted. */
static __always_inline struct loop *loop_add(struct task_struct *task, struct loop_key *key, __u32 kind)
{
	struct loop l = {.kind = kind};

	l.since = bpf_ktime_get_ns();
	l.pid = BPF_CORE_READ(task, tgid);
	bpf_probe_read_kernel(l.comm, sizeof(l.comm), &BPF_CORE_READ(task, group_leader)->comm);
	if (bpf_map_update_elem(&loops, key, &l, BPF_NOEXIST)) {
		count_lost(LOST_MAP);
		return 0;
	}
	return bpf_map_lookup_elem(&loops, key);
}

/* The state of a thread that has loops, made when it is met first; NULL if nobody wants it. */
static __always_inline struct loop_thread *loop_thread_get(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)id;
	struct loop_thread *lt = bpf_map_lookup_elem(&loop_threads, &tid), zero = {};

	if (lt || !loops_on || !loop_wanted(id >> 32))
		return lt;
	if (bpf_map_update_elem(&loop_threads, &tid, &zero, BPF_NOEXIST)) {
		count_lost(LOST_MAP);
		return 0;
	}
	return bpf_map_lookup_elem(&loop_threads, &tid);
}

/* The current thread begins to wait. */
static __always_inline int wait_begins(struct loop_thread *lt, __u32 kind, int fd, __u32 max, __s64 timeout,
				       __u32 knows)
{
	struct loop_key key = {.tid = (__u32)bpf_get_current_pid_tgid(), .fd = fd};
	struct loop *l = bpf_map_lookup_elem(&loops, &key);

	if (!l)
		l = loop_add((struct task_struct *)bpf_get_current_task(), &key, kind);
	if (!l)
		return 0;
	lt->fd = fd;
	lt->inside = 1;
	lt->slept = 0;
	lt->timeout = timeout;
	lt->knows = knows | KNOWS_BLOCKED;
	l->begun += 1;
	barrier();
	l->entered = bpf_ktime_get_ns();
	if (kind == LOOP_EPOLL)
		look_at_instance(l, file_of_fd(fd), l->entered);
	l->max = max;
	barrier();
	l->done += 1;
	return 0;
}

static __always_inline int epoll_enters(int fd, __u32 max, __s64 timeout, __u32 knows)
{
	struct loop_thread *lt = loop_thread_get();

	if (!lt)
		return 0;
	lt->epoll = 1;
	lt->polls = 0;
	return wait_begins(lt, LOOP_EPOLL, fd, max, timeout, knows);
}

#define POLLS_OF_HANDLER 3

/* Whether a poll or select is one of many, and not a call of an epoll loop's handler. */
static __always_inline bool is_loop(struct loop_thread *lt)
{
	if (!lt->epoll)
		return true;
	lt->polls += 1;
	if (lt->polls <= POLLS_OF_HANDLER)
		return false;
	lt->epoll = 0;
	return true;
}

static __always_inline bool is_listener(const void *ufds)
{
	struct sock *sk;
	__s32 fd;

	if (bpf_probe_read_user(&fd, sizeof(fd), ufds))
		return false;
	sk = sock_of_fd(fd);
	return sk && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
}

/* Keeps what a poll waits for, once a second. */
static __always_inline void list_poll(struct loop_thread *lt, const void *ufds, __u32 n)
{
	__u32 zero = 0, tid = (__u32)bpf_get_current_pid_tgid(), some = n;
	struct loop_list *list;
	__u64 now = bpf_ktime_get_ns();

	if (now - lt->listed < LIST_EVERY)
		return;
	list = bpf_map_lookup_elem(&no_list, &zero);
	if (!list)
		return;
	lt->listed = list->ts = now;
	list->n = n;
	if (some > LISTED_BYTES / 8)
		some = LISTED_BYTES / 8;
	list->known = !bpf_probe_read_user(list->bytes, (some * 8) & (2 * LISTED_BYTES - 1), ufds);
	bpf_map_update_elem(&loop_lists, &tid, list, BPF_ANY);
}

static __always_inline bool polls_for_loop(struct loop_thread *lt, const void *ufds, __u32 n)
{
	return (n > 1 || is_listener(ufds)) && is_loop(lt);
}

static __always_inline int poll_enters(const void *ufds, __u32 n)
{
	struct loop_thread *lt;

	if (!n)
		return 0;
	lt = loop_thread_get();
	if (!lt || !polls_for_loop(lt, ufds, n))
		return 0;
	list_poll(lt, ufds, n);
	return wait_begins(lt, LOOP_POLL, -LOOP_POLL, n, 0, 0);
}

#define FD_SET_BYTES 128

/* What reads nothing leaves zeros: an empty set. */
static __always_inline void read_set(__u8 *to, const void *from)
{
	if (!from || bpf_probe_read_user(to, FD_SET_BYTES, from))
		__builtin_memset(to, 0, FD_SET_BYTES);
}

/* Keeps what a select waits for, once a second. */
static __always_inline void list_select(struct loop_thread *lt, int n, const void *in, const void *out, const void *ex)
{
	__u32 zero = 0, tid = (__u32)bpf_get_current_pid_tgid();
	struct loop_list *list = bpf_map_lookup_elem(&no_list, &zero);
	__u64 now = bpf_ktime_get_ns();

	if (!list || now - lt->listed < LIST_EVERY)
		return;
	lt->listed = list->ts = now;
	list->n = n;
	list->known = 1;
	read_set(list->bytes, in);
	read_set(list->bytes + FD_SET_BYTES, out);
	read_set(list->bytes + 2 * FD_SET_BYTES, ex);
	bpf_map_update_elem(&loop_lists, &tid, list, BPF_ANY);
}

static __always_inline int select_enters(int n, const void *in, const void *out, const void *ex)
{
	struct loop_thread *lt;

	if (n <= 0)
		return 0;
	lt = loop_thread_get();
	if (!lt || !is_loop(lt))
		return 0;
	list_select(lt, n, in, out, ex);
	return wait_begins(lt, LOOP_SELECT, -LOOP_SELECT, 0, 0, 0);
}

static __always_inline __u32 ready_bucket(__u32 n)
{
	__u32 i = READY_EXACT;

	if (n < READY_EXACT)
		return n;
#pragma unroll
	for (int bits = 6; bits < 13; bits++)
		i += n >> bits != 0;
	return i;
}

/* Adds a wait that has returned. */
static __always_inline void count_wait(struct loop *l, long ret, __u64 blocked, __u64 busy, bool asked_to_wait)
{
	__u64 i;

	l->blocked += blocked;
	l->busy += busy;
	l->waits += 1;
	if (ret < 0) {
		l->failed += 1;
		return;
	}
	if (ret == 0) {
		l->empty += 1;
		l->polls += !asked_to_wait;
	}
	if (ret > l->most)
		l->most = ret;
	i = ready_bucket(ret);
	barrier_var(i); /* the bound is to be checked on the register that is used */
	if (i < READY_BUCKETS)
		l->ready[i] += 1;
}

static __always_inline void put_loop_owner(struct event *e, const struct loop *l)
{
	e->pid = l->pid;
	e->tid = (__u32)bpf_get_current_pid_tgid();
	__builtin_memcpy(e->comm, l->comm, sizeof(e->comm));
	e->has |= HAS_OWNER;
}

static __always_inline void tell_wait(struct loop *l, struct loop_thread *lt, long ret, __u64 now, __u64 blocked,
				      __u64 busy)
{
	struct wait_event *e = event_at(EVENT_WAIT, sizeof(*e), now);

	if (!e)
		return;
	put_loop_owner(&e->e, l);
	e->blocked = blocked;
	e->busy = busy;
	e->timeout_ms = lt->timeout;
	e->fd = lt->fd;
	e->ret = ret;
	e->max = l->max;
	e->knows = lt->knows;
	event_send(e);
}

/* Tells of a sleep in a handler, and how many descriptors had become ready behind it. */
static __always_inline void tell_stall(struct loop *l, struct loop_thread *lt, long ret, __u64 now)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);
	struct stall_event *e = event_stack(EVENT_STALL, sizeof(*e), now, stack_of_stall(tid));

	if (!e)
		return;
	put_loop_owner(&e->e, l);
	e->off_ns = lt->stall;
	e->what = lt->stall_what;
	e->fd = lt->fd;
	e->times = lt->stalls;
	e->busy = l->entered - l->returned;
	/* If it slept in this wait too, what is ready now came later. */
	if (ret > 0 && !lt->met && !(t && t->left > l->entered && t->runnable > t->left))
		e->behind = ret;
	event_send(e);
}

static __always_inline int wait_returns(long ret)
{
	struct loop_key key = {.tid = (__u32)bpf_get_current_pid_tgid()};
	struct loop_thread *lt = bpf_map_lookup_elem(&loop_threads, &key.tid);
	__u64 now, blocked, busy = 0;
	struct loop *l;

	if (!lt || !lt->inside)
		return 0;
	lt->inside = 0;
	key.fd = lt->fd;
	l = bpf_map_lookup_elem(&loops, &key);
	if (!l || !l->entered)
		return 0;
	now = bpf_ktime_get_ns();
	blocked = now - l->entered;
	if (l->returned) {
		busy = l->entered - l->returned;
		lt->knows |= KNOWS_BUSY;
	}
	if (lt->stall && l->returned && lt->stall_at >= l->returned)
		tell_stall(l, lt, ret, now);
	lt->stall = lt->stalls = 0;
	l->begun += 1;
	barrier();
	count_wait(l, ret, blocked, busy, !(lt->knows & KNOWS_TIMEOUT) || lt->timeout);
	l->returned = now;
	l->entered = 0;
	barrier();
	l->done += 1;
	if (emit_waits && l->kind == LOOP_EPOLL)
		tell_wait(l, lt, ret, now, blocked, busy);
	return 0;
}

/* The timeout of an epoll call, from its fourth argument: ms, or the address of a struct timespec. */
static __always_inline __u32 timeout_of(int nr, __u64 fourth, __s64 *timeout)
{
	__u64 ts[2];

	if (nr == NR_EPOLL_WAIT || nr == NR_EPOLL_PWAIT) {
		*timeout = (int)fourth;
		return KNOWS_TIMEOUT;
	}
	if (nr != NR_EPOLL_PWAIT2)
		return 0;
	if (!fourth) {
		*timeout = -1;
		return KNOWS_TIMEOUT;
	}
	if (bpf_probe_read_user(ts, sizeof(ts), (void *)fourth))
		return 0;
	*timeout = ts[0] * 1000 + (ts[1] + 999999) / 1000000;
	return KNOWS_TIMEOUT;
}

/* The same from the registers with which the thread came. */
static __always_inline __u32 epoll_timeout(bool modern, __s64 *timeout)
{
	struct pt_regs *regs;

	if (!modern || task_is_32bit((struct task_struct *)bpf_get_current_task_btf()))
		return 0;
	regs = user_regs();
	return timeout_of(syscall_nr(regs), REG_CALL4(regs), timeout);
}

#endif
