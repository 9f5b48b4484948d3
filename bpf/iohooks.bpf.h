/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Where bytes are seen: typed tracepoints (6.12), or the functions of TCP before that. */
#ifndef BELTRACE_IOHOOKS_BPF_H
#define BELTRACE_IOHOOKS_BPF_H

#include "io.bpf.h"

SEC("tp_btf/sock_recv_length")
int BPF_PROG(bytes_in_tp, struct sock *sk, int ret, int flags)
{
	return ret > 0 && !(flags & MSG_PEEK) ? bytes_in(sk, ret, true, true) : 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(bytes_out_tp, struct sock *sk, int ret)
{
	return ret > 0 ? bytes_out(sk, ret, true, true) : 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(bytes_ready_tp, struct sock *sk)
{
	return bytes_ready(sk, true);
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(segment_tp, struct sock *sk, struct sk_buff *skb)
{
	return segment_in(sk, skb, true);
}

/* What a function returned, if it is a number of bytes (bpf_get_func_ret: 5.17). */
static __always_inline __u64 returned(void *ctx)
{
	__u64 ret = 0;

	bpf_get_func_ret(ctx, &ret);
	return (int)ret > 0 ? (int)ret : 0;
}

/* Only the socket is needed, which is the first argument everywhere; what moved, its positions tell. */
SEC("fexit/tcp_recvmsg")
int BPF_PROG(bytes_in_fexit, struct sock *sk)
{
	return bytes_in(sk, returned(ctx), true, true);
}

SEC("fexit/tcp_recvmsg")
int BPF_PROG(bytes_in_fexit_old, struct sock *sk, void *msg, __u64 len, int nonblock, int flags, void *addr_len,
	     int ret)
{
	return ret > 0 && !(flags & MSG_PEEK) ? bytes_in(sk, ret, true, false) : 0;
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(bytes_out_fexit, struct sock *sk)
{
	return bytes_out(sk, returned(ctx), true, true);
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(bytes_out_fexit_old, struct sock *sk, void *msg, __u64 size, int ret)
{
	return ret > 0 ? bytes_out(sk, ret, true, false) : 0;
}

/* sendfile and splice before 6.5 (dc97391e6610). */
SEC("fexit/tcp_sendpage")
int BPF_PROG(bytes_page_fexit, struct sock *sk)
{
	return bytes_out(sk, returned(ctx), true, true);
}

SEC("fexit/tcp_sendpage")
int BPF_PROG(bytes_page_fexit_old, struct sock *sk, void *page, int offset, __u64 size, int flags, int ret)
{
	return ret > 0 ? bytes_out(sk, ret, true, false) : 0;
}

SEC("fentry/tcp_data_ready")
int BPF_PROG(bytes_ready_fentry, struct sock *sk)
{
	return bytes_ready(sk, true);
}

/* What splice reads is in no event of sock_recv_length. */
SEC("fexit/tcp_splice_read")
int BPF_PROG(splice_fexit, struct socket *socket)
{
	struct sock *sk = tcp_of(BPF_CORE_READ(socket, sk));
	return sk ? bytes_in(sk, returned(ctx), false, true) : 0;
}

SEC("fexit/tcp_splice_read")
int BPF_PROG(splice_fexit_old, struct socket *socket, void *pos, void *pipe, __u64 len, unsigned int flags, long ret)
{
	struct sock *sk = tcp_of(BPF_CORE_READ(socket, sk));
	return sk && ret > 0 ? bytes_in(sk, ret, false, false) : 0;
}

/* A thread inside a call that moves bytes: the socket, for return probes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} moving SEC(".maps");

static __always_inline int call_enters(struct sock *sk)
{
	__u64 id = bpf_get_current_pid_tgid(), address = (__u64)sk;

	if (info_of(sk))
		bpf_map_update_elem(&moving, &id, &address, BPF_ANY);
	return 0;
}

static __always_inline __u64 moved(struct pt_regs *ctx)
{
	int ret = (int)REG_RET(ctx);
	return ret > 0 ? ret : 0;
}

/* The socket of the call that returns; NULL if nobody watches it. */
static __always_inline struct sock *call_returns(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *address = bpf_map_lookup_elem(&moving, &id);
	struct sock *sk;

	if (!address)
		return 0;
	sk = (struct sock *)*address;
	bpf_map_delete_elem(&moving, &id);
	return sk;
}

SEC("kprobe/tcp_recvmsg")
int recvmsg_kprobe(struct pt_regs *ctx)
{
	return call_enters((struct sock *)REG_ARG1(ctx));
}

SEC("kretprobe/tcp_recvmsg")
int recvmsg_kretprobe(struct pt_regs *ctx)
{
	struct sock *sk = call_returns();
	return sk ? bytes_in(sk, moved(ctx), false, true) : 0;
}

SEC("kretprobe/tcp_recvmsg")
int recvmsg_kretprobe_old(struct pt_regs *ctx)
{
	struct sock *sk = call_returns();
	return sk ? bytes_in(sk, moved(ctx), false, false) : 0;
}

SEC("kprobe/tcp_sendmsg")
int sendmsg_kprobe(struct pt_regs *ctx)
{
	return call_enters((struct sock *)REG_ARG1(ctx));
}

SEC("kretprobe/tcp_sendmsg")
int sendmsg_kretprobe(struct pt_regs *ctx)
{
	struct sock *sk = call_returns();
	return sk ? bytes_out(sk, moved(ctx), false, true) : 0;
}

SEC("kretprobe/tcp_sendmsg")
int sendmsg_kretprobe_old(struct pt_regs *ctx)
{
	struct sock *sk = call_returns();
	return sk ? bytes_out(sk, moved(ctx), false, false) : 0;
}

SEC("kprobe/tcp_sendpage")
int sendpage_kprobe(struct pt_regs *ctx)
{
	return call_enters((struct sock *)REG_ARG1(ctx));
}

SEC("kretprobe/tcp_sendpage")
int sendpage_kretprobe(struct pt_regs *ctx)
{
	struct sock *sk = call_returns();
	return sk ? bytes_out(sk, moved(ctx), false, true) : 0;
}

SEC("kretprobe/tcp_sendpage")
int sendpage_kretprobe_old(struct pt_regs *ctx)
{
	struct sock *sk = call_returns();
	return sk ? bytes_out(sk, moved(ctx), false, false) : 0;
}

SEC("kprobe/tcp_data_ready")
int data_ready_kprobe(struct pt_regs *ctx)
{
	return bytes_ready((struct sock *)REG_ARG1(ctx), false);
}

#endif
