/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Iterators: what was there before us, who owns it, and how full the queues are. */
#ifndef BELTRACE_SEED_BPF_H
#define BELTRACE_SEED_BPF_H

#include "tally.bpf.h"
#include "listen.bpf.h"

static __always_inline void fill_listener(struct queue_event *e, struct sock *sk, struct sock_info *info, __u8 kind)
{
	e->e.kind = kind;
	e->e.ts = bpf_ktime_get_ns();
	e->e.cpu = bpf_get_smp_processor_id();
	e->e.conn = info->id;
	e->e.role = ROLE_LISTENER;
	put_owner(&e->e, info);
	put_local(&e->e, sk);
	put_queues(e, sk);
	if (info->has_asked) {
		e->asked = info->asked;
		e->e.has |= HAS_ASKED;
	}
}

static __always_inline int seed_listener(struct seq_file *seq, struct sock *sk, struct sock_info *info)
{
	struct queue_event e = {};

	info->role = ROLE_LISTENER;
	info->told = 1;
	fill_listener(&e, sk, info, EVENT_LISTEN);
	keep_address(info, &e.e);
	e.e.has |= HAS_PRE_EXISTING;
	return bpf_seq_write(seq, &e, sizeof(e));
}

/*
 * Whether nobody has accepted a connection yet. One that its program has closed has no struct socket either, but has sent
 * its FIN; the client of one that waits may have sent its own.
 */
static __always_inline bool is_queued(struct sock *sk, int state)
{
	bool waits = state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_SYN_RECV;

	return waits && !BPF_CORE_READ(sk, sk_socket);
}

/*
 * Whether a connection came to a listener: it is a copy of it, and what listen() was called with stays. False of those that
 * a listener without any room made, too.
 */
static __always_inline bool is_child(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_max_ack_backlog);
}

/* One that is established, or whose client is in connect(). */
static __always_inline int seed_connection(struct seq_file *seq, struct sock *sk, struct sock_info *info, int state)
{
	struct established_event e = {};

	info->accepted = !is_queued(sk, state);
	if (state == TCP_SYN_SENT)
		info->role = ROLE_CLIENT;
	else if (!info->accepted || is_child(sk))
		info->role = ROLE_SERVER;
	info->connect_done = 1;
	e.e.kind = state == TCP_SYN_SENT ? EVENT_CONNECT : EVENT_ESTABLISHED;
	e.e.ts = bpf_ktime_get_ns();
	e.e.cpu = bpf_get_smp_processor_id();
	e.e.conn = info->id;
	e.e.role = info->role;
	e.e.has = HAS_PRE_EXISTING | (info->accepted ? 0 : HAS_QUEUED);
	put_local(&e.e, sk);
	put_remote(&e.e, sk);
	e.rtt_us = BPF_CORE_READ((struct tcp_sock *)sk, srtt_us) >> 3;
	if (e.rtt_us)
		e.e.has |= HAS_RTT;
	return bpf_seq_write(seq, &e, sizeof(e));
}

static __always_inline int seed(struct bpf_iter__tcp *ctx, bool modern)
{
	struct sock_common *common = ctx->sk_common;
	struct sock_info *info;
	struct sock *sk;
	int state, err;

	if (!common)
		return 0;
	sk = (struct sock *)bpf_skc_to_tcp_sock(common); /* NULL for request and timewait socks */
	if (!sk)
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == TCP_CLOSE || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (info_of(sk) || !place_wanted(sk, local_port(sk), remote_port(sk)))
		return 0;
	info = info_new(sk, state);
	if (!info)
		return 0;
	info->id = id_of(sk, modern);
	info->watched = !filter_pids && !filter_comm;
	if (state == TCP_LISTEN) {
		if (modern) {
			bpf_sk_storage_get(&listeners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		}
		err = seed_listener(ctx->meta->seq, sk, info);
		if (!err)
			place_join(sk);
	} else {
		err = seed_connection(ctx->meta->seq, sk, info, state);
	}
	if (err)
		info_end(sk); /* the buffer is full: the kernel shows us this socket again */
	return 0;
}

SEC("iter/tcp")
int seed_tcp(struct bpf_iter__tcp *ctx)
{
	return seed(ctx, true);
}

SEC("iter/tcp")
int seed_tcp_old(struct bpf_iter__tcp *ctx)
{
	return seed(ctx, false);
}

__u32 visited; /* the network namespace of the last socket that find_spaces saw */

/*
 * The network namespaces of all sockets: one that no thread is in and no mount keeps may be kept by a socket. Many sockets
 * of one namespace in a row are told once.
 */
SEC("iter/task_file")
int find_spaces(struct bpf_iter__task_file *ctx)
{
	struct inhabitant in = {.fd = ctx->fd};
	struct task_struct *task = ctx->task;
	struct sock *sk = iterated_sock(task, ctx->file);

	if (!sk)
		return 0;
	in.netns = netns_of(sk);
	if (in.netns == visited)
		return 0;
	in.pid = BPF_CORE_READ(task, tgid);
	if (!bpf_seq_write(ctx->meta->seq, &in, sizeof(in)))
		visited = in.netns;
	return 0;
}

/* Every open file of every process: who holds the sockets that were there. */
SEC("iter/task_file")
int seed_owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct sock *sk = iterated_sock(task, ctx->file);
	struct sock_info *info = sk ? info_of(sk) : 0;
	struct owner owner = {};

	if (!info)
		return 0;
	owner.conn = info->id;
	owner.pid = BPF_CORE_READ(task, tgid);
	owner.fd = ctx->fd;
	bpf_probe_read_kernel(owner.comm, sizeof(owner.comm), &BPF_CORE_READ(task, group_leader)->comm);
	owner.watched = process_wanted(owner.pid, owner.comm);
	if (!info->pid) {
		info->pid = owner.pid;
		__builtin_memcpy(info->comm, owner.comm, sizeof(info->comm));
	}
	owner.joins = owner.watched && !info->watched && info->role == ROLE_LISTENER;
	if (owner.watched)
		info->watched = 1;
	if (info->watched && info->role == ROLE_LISTENER)
		process_serves(owner.pid);
	bpf_seq_write(ctx->meta->seq, &owner, sizeof(owner));
	return 0;
}

/* Once each: first those that the accept queue refused, then the others. */
static __always_inline void sample_refusals(struct sample_event *e, __u64 id)
{
	struct tally_key key = {.id = id};

	if (counts_acks) {
		key.what = TALLY_COOKIE_ACK;
		e->cookie_acks = tally_total(&key);
		key.what = TALLY_ACK;
		key.code = CAUSE_OTHER;
		e->acks = tally_total(&key);
		key.code = CAUSE_ACCEPT_QUEUE;
		e->acks += tally_total(&key);
		e->q.e.has |= HAS_ACKS;
	}
	if (!counts_refusals)
		return;
	e->q.e.has |= HAS_REFUSALS;
	for (int cause = CAUSE_ACCEPT_QUEUE; cause < CAUSES; cause++) {
		__u64 n;

		key.code = cause;
		key.what = TALLY_ACK;
		n = tally_total(&key);
		key.what = TALLY_SYN;
		n += tally_total(&key);
		e->refused += n;
		if (cause == CAUSE_ACCEPT_QUEUE)
			e->overflows = n;
	}
	key.code = 0;
	key.what = TALLY_COOKIE_SENT;
	e->cookies_sent = tally_total(&key);
	key.what = TALLY_COOKIE_OK;
	e->cookies_ok = tally_total(&key);
}

static __always_inline void sample_settings(struct sample_event *e, struct sock *sk)
{
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);

	e->somaxconn = BPF_CORE_READ(net, core.sysctl_somaxconn);
	e->max_syn_backlog = BPF_CORE_READ(net, ipv4.sysctl_max_syn_backlog);
	e->syncookies = BPF_CORE_READ(net, ipv4.sysctl_tcp_syncookies);
	e->abort_on_overflow = BPF_CORE_READ(net, ipv4.sysctl_tcp_abort_on_overflow);
	e->q.e.has |= HAS_SETTINGS;
}

static __always_inline int sample(struct seq_file *seq, struct sock *sk)
{
	struct sock_info *info = info_of(sk);
	struct sample_event e = {};

	if (!info || !info->watched || !info->told || info->role != ROLE_LISTENER)
		return 0;
	fill_listener(&e.q, sk, info, EVENT_QUEUE);
	e.young = BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_accept_queue.young.counter);
	sample_refusals(&e, info->id);
	sample_settings(&e, sk);
	bpf_seq_write(seq, &e, sizeof(e));
	return 0;
}

/* Listeners of all network namespaces. */
SEC("iter/bpf_sk_storage_map")
int sample_listeners(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;

	if (!sk)
		return 0;
	/* A listener is in there since set_state put it in. Kernels on which it could not refuse this call. */
	if (!bpf_sk_storage_get(&listeners, sk, 0, 0))
		return 0;
	barrier_var(sk); /* else clang merges this check with a later one, which the verifier does not follow */
	return sample(ctx->meta->seq, sk);
}

/* Those of the namespace of the reader, for kernels without tracing access to socket storage. */
SEC("iter/tcp")
int sample_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct sock *sk;

	if (!common)
		return 0;
	sk = (struct sock *)bpf_skc_to_tcp_sock(common);
	return sk ? sample(ctx->meta->seq, sk) : 0;
}

#endif
