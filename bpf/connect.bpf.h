/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * connect(): its entry, for the stamp, and its return, for the local port and for failures that no state change tells.
 */
#ifndef BELTRACE_CONNECT_BPF_H
#define BELTRACE_CONNECT_BPF_H

#include "conn.bpf.h"

struct sockaddr_in {
	__u16 sin_family;
	__be16 sin_port;
	__u8 sin_addr[4];
};

struct sockaddr_in6 {
	__u16 sin6_family;
	__be16 sin6_port;
	__u32 sin6_flowinfo;
	__u8 sin6_addr[16];
};

static __always_inline int connect_enter(struct sock *sk, void *address)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connect_call call = {.sk = (__u64)sk, .ts = bpf_ktime_get_ns()};
	struct sockaddr_in6 in6 = {};

	if (!armed || id >> 32 == self_tgid)
		return 0;
	if (!in_connect)
		in_connect = true;
	bpf_probe_read_kernel(&in6, sizeof(struct sockaddr_in), address);
	call.rport = bpf_ntohs(in6.sin6_port);
	if (in6.sin6_family == AF_INET) {
		call.family = 4;
		bpf_probe_read_kernel(call.raddr, 4, ((struct sockaddr_in *)address)->sin_addr);
	} else if (in6.sin6_family == AF_INET6) {
		call.family = 6;
		bpf_probe_read_kernel(call.raddr, 16, ((struct sockaddr_in6 *)address)->sin6_addr);
	}
	bpf_map_update_elem(&connects, &id, &call, BPF_ANY);
	return 0;
}

/* The address that connect() was called with: the socket may not have it. */
static __always_inline void put_asked_remote(struct event *e, struct sock *sk, struct connect_call *call)
{
	e->netns = netns_of(sk);
	e->family = call->family;
	e->rport = call->rport;
	__builtin_memcpy(e->raddr, call->raddr, sizeof(e->raddr));
	if (call->family)
		e->has |= HAS_REMOTE;
}

/* The two events of a connect that failed inside the call. */
static __always_inline void send_failed(struct sock *sk, struct sock_info *info, struct connect_call *call, int err)
{
	struct close_event *e;
	struct event *c;

	if (!info->connect_done) {
		c = event_new(EVENT_CONNECT, sizeof(*c));
		if (c) {
			c->ts = info->start;
			c->conn = info->id;
			c->role = ROLE_CLIENT;
			put_owner(c, info);
			put_asked_remote(c, sk, call);
			event_send(c);
		}
	}
	e = event_new(EVENT_CLOSE, sizeof(*e));
	if (!e)
		return;
	e->e.conn = info->id;
	e->e.role = ROLE_CLIENT;
	put_owner(&e->e, info);
	put_asked_remote(&e->e, sk, call);
	e->e.reason = REASON_ERROR;
	e->e.has |= HAS_ERROR;
	e->error = err;
	event_send(e);
}

/* Nothing was sent, for want of a route, a permission: the socket never left CLOSE and has no state of its own. */
static __always_inline void never_sent(struct sock *sk, struct connect_call *call, int err)
{
	struct sock_info info = {.start = call->ts, .role = ROLE_CLIENT};

	take_owner(&info);
	if (!place_wanted(sk, local_port(sk), call->rport) || !process_wanted(info.pid, info.comm))
		return;
	info.id = own_id(OWN_CALL);
	send_failed(sk, &info, call, err);
}

static __always_inline int connect_exit(int ret)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connect_call *call = bpf_map_lookup_elem(&connects, &id);
	struct sock_info *info;
	struct sock *sk;

	if (!call)
		return 0;
	sk = (struct sock *)call->sk;
	info = info_of(sk);
	if (call->stage == CONNECT_ENTERED) {
		if (ret < 0)
			never_sent(sk, call, -ret);
	} else if (info && info->watched && info->role == ROLE_CLIENT) {
		if (call->stage == CONNECT_FAILED)
			send_failed(sk, info, call, -ret);
		else if (!info->connect_done)
			send_connect(sk, info, PROBED);
	}
	bpf_map_delete_elem(&connects, &id);
	return 0;
}

SEC("fentry/tcp_v4_connect")
int BPF_PROG(connect4_fentry, struct sock *sk, void *address)
{
	return connect_enter(sk, address);
}

SEC("fentry/tcp_v6_connect")
int BPF_PROG(connect6_fentry, struct sock *sk, void *address)
{
	return connect_enter(sk, address);
}

/* (sk, address, length) and the result: the same on 5.10 to 7.3. */
SEC("fexit/tcp_v4_connect")
int BPF_PROG(connect4_fexit, struct sock *sk, void *address, int length, int ret)
{
	return connect_exit(ret);
}

SEC("fexit/tcp_v6_connect")
int BPF_PROG(connect6_fexit, struct sock *sk, void *address, int length, int ret)
{
	return connect_exit(ret);
}

SEC("kprobe/tcp_v4_connect")
int connect4_kprobe(struct pt_regs *ctx)
{
	return connect_enter((struct sock *)REG_ARG1(ctx), (void *)REG_ARG2(ctx));
}

SEC("kprobe/tcp_v6_connect")
int connect6_kprobe(struct pt_regs *ctx)
{
	return connect_enter((struct sock *)REG_ARG1(ctx), (void *)REG_ARG2(ctx));
}

SEC("kretprobe/tcp_v4_connect")
int connect4_kretprobe(struct pt_regs *ctx)
{
	return connect_exit((int)REG_RET(ctx));
}

SEC("kretprobe/tcp_v6_connect")
int connect6_kretprobe(struct pt_regs *ctx)
{
	return connect_exit((int)REG_RET(ctx));
}

#endif
