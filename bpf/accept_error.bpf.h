/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls of accept that fail. */
#ifndef BELTRACE_ACCEPT_ERROR_BPF_H
#define BELTRACE_ACCEPT_ERROR_BPF_H

#define EINTR 4
#define EAGAIN 11
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

static __always_inline void on_accept_error(int listen_fd, int ret)
{
	struct tally_key key = {.code = -ret, .what = TALLY_ACCEPT_ERROR};
	struct sock *listener = sock_of_fd(listen_fd);
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

#endif
