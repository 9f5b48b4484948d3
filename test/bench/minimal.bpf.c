// SPDX-License-Identifier: (MIT OR GPL-2.0-only)

//go:build ignore

/*
 * The least that a tracer of connections can do: at each hook one small record, and no state at all. What beltrace costs
 * more than this is the price of what it knows.
 */
#include "helpers.bpf.h"

struct record {
	__u64 ts;
	__u64 sk;
	__u32 pid;
	__u32 tid;
	__u32 saddr;
	__u32 daddr;
	__u16 sport;
	__u16 dport;
	__u32 what; /* the state of the socket; ACCEPT */
	__u8 comm[16];
};

#define ACCEPT 100

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
	__type(value, struct record);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

static __always_inline int send(struct sock *sk, __u32 what)
{
	struct record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	__u64 id = bpf_get_current_pid_tgid();
	__u32 zero = 0;
	__u64 *n;

	if (!r) {
		n = bpf_map_lookup_elem(&lost, &zero);
		if (n)
			*n += 1;
		return 0;
	}
	r->ts = bpf_ktime_get_ns();
	r->sk = (__u64)sk;
	r->pid = id >> 32;
	r->tid = (__u32)id;
	r->what = what;
	r->saddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	r->daddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	r->sport = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport)); /* skc_num is 0 after close */
	r->dport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

/* connect, both ends established, both ends closed */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state, struct sock *sk, int old, int new)
{
	if (new != TCP_SYN_SENT &&new != TCP_ESTABLISHED &&new != TCP_CLOSE)
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	return send(sk, new);
}

static __always_inline int accepted(int fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file *file, **slot;
	struct socket *socket;

	if (fd < 0)
		return 0;
	slot = BPF_CORE_READ(task, files, fdt, fd) + fd;
	if (bpf_probe_read_kernel(&file, sizeof(file), slot) || !file)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return send(BPF_CORE_READ(socket, sk), ACCEPT);
}

SEC("tracepoint/syscalls/sys_exit_accept")
int accept(struct sys_exit *ctx)
{
	return accepted(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int accept4(struct sys_exit *ctx)
{
	return accepted(ctx->ret);
}

/* Where functions can be hooked, beltrace does not use the tracepoints above. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(accept_fexit)
{
	__u64 child = 0;

	bpf_get_func_ret(ctx, &child);
	return child ? send((struct sock *)child, ACCEPT) : 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit, struct sock *sk)
{
	return send(sk, 101);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(reset, struct sock *sk)
{
	return send(sk, 102);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
