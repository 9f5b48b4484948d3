/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls of accept that fail. */
#ifndef BELTRACE_ACCEPT_ERROR_BPF_H
#define BELTRACE_ACCEPT_ERROR_BPF_H

#include "tally.bpf.h"

#define EINTR 4
#define EAGAIN 11
#define ENFILE 23
#define EMFILE 24
#define ERESTARTSYS 512 /* and the others up to here: the kernel's own words for an interrupted call */
#define ERESTART_RESTARTBLOCK 516

/* An empty queue and an interrupted call are no errors. */
static __always_inline bool is_accept_error(int ret)
{
	return ret < 0 && ret != -EAGAIN && ret != -EINTR && (ret > -ERESTARTSYS || ret < -ERESTART_RESTARTBLOCK);
}

/* By thread and errno. In the context of the thread that called. */
static __always_inline struct tally *tally_of_error(const struct tally_key *key, struct sock *listener)
{
	struct tally *t = bpf_map_lookup_elem(&tallies, key);
	struct sock_info caller = {};
	struct tally fresh = {};

	if (t)
		return t;
	take_owner(&caller);
	put_owner(&fresh.e, &caller);
	put_local(&fresh.e, listener);
	put_listener(&fresh.e, listener);
	return tally_add(key, &fresh);
}

static __always_inline void accept_failed(struct sock *listener, int ret)
{
	struct tally_key key = {.code = -ret, .what = TALLY_ACCEPT_ERROR};
	struct sock_info *info = listener ? info_of(listener) : 0;
	struct accept_error_event *e;
	struct tally *t;

	if (!info || !info->watched || info->role != ROLE_LISTENER)
		return;
	key.id = info->id;
	key.tid = (__u32)bpf_get_current_pid_tgid();
	t = tally_of_error(&key, listener);
	if (!t)
		return;
	e = tally_record(t, EVENT_ACCEPT_ERROR, sizeof(*e));
	if (e) {
		e->error = -ret;
		event_send(e);
	}
	tally_count(t);
}

/* accept found nobody: it was asked in vain, or to see whether somebody else waits. Counted by thread, without records. */
static __always_inline void on_accept_empty(int listen_fd)
{
	struct tally_key key = {.what = TALLY_ACCEPT_EMPTY};
	struct sock *listener = sock_of_fd(listen_fd);
	struct sock_info *info = listener ? info_of(listener) : 0;
	struct tally *t;

	if (!info || !info->watched || info->role != ROLE_LISTENER)
		return;
	key.id = info->id;
	key.tid = (__u32)bpf_get_current_pid_tgid();
	t = tally_of_error(&key, listener);
	if (t)
		tally_count(t);
}

static __always_inline void on_accept_error(int listen_fd, int ret)
{
	accept_failed(sock_of_fd(listen_fd), ret);
}

/*
 * io_accept() (5.19+, before it is part of a larger function) returns an error as it is only when there is no
 * descriptor; its other values are io_uring's own.
 */
static __always_inline int ring_accepted(struct io_kiocb *req, int ret)
{
	struct file *file;

	if (ret != -EMFILE && ret != -ENFILE)
		return 0;
	file = BPF_CORE_READ(req, file);
	if (file)
		accept_failed(sock_of_file(file), ret);
	return 0;
}

SEC("fexit/io_accept")
int BPF_PROG(ring_accept_fexit, struct io_kiocb *req, __u32 flags, int ret)
{
	return ring_accepted(req, ret);
}

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} ring_accepts SEC(".maps"); /* thread in io_accept -> request, for the kretprobe */

SEC("kprobe/io_accept")
int ring_accept_kprobe(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), req = REG_ARG1(ctx);

	bpf_map_update_elem(&ring_accepts, &id, &req, BPF_ANY);
	return 0;
}

SEC("kretprobe/io_accept")
int ring_accept_kretprobe(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *req = bpf_map_lookup_elem(&ring_accepts, &id);

	if (!req)
		return 0;
	ring_accepted((struct io_kiocb *)*req, (int)REG_RET(ctx));
	bpf_map_delete_elem(&ring_accepts, &id);
	return 0;
}

#endif
