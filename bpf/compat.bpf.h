/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Every difference between kernels that a program has to know, as one small getter each. */
#ifndef BELTRACE_COMPAT_BPF_H
#define BELTRACE_COMPAT_BPF_H

/*
 * The subflow of an MPTCP socket (5.6+), the socket itself else. Go's net.Listen makes MPTCP listeners, whose accept
 * queue is that of a hidden TCP socket.
 */
static __always_inline struct sock *tcp_of(struct sock *sk)
{
	if (!sk)
		return 0;
	switch (BPF_CORE_READ(sk, sk_protocol)) {
	case IPPROTO_TCP:
		return sk;
	case IPPROTO_MPTCP:
		if (bpf_core_field_exists(struct mptcp_sock, first))
			return BPF_CORE_READ((struct mptcp_sock *)sk, first);
	}
	return 0;
}

/* skc_num is 0 once the port is given back (inet_put_port), inet_sport stays. */
static __always_inline __u16 local_port(struct sock *sk)
{
	__u16 num = BPF_CORE_READ(sk, __sk_common.skc_num);
	return num ? num : bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
}

/*
 * Payload bytes received: bytes_received counts the FIN as one (tcp_rcv_nxt_update with its end_seq), and tcp_fin()
 * sets SOCK_DONE.
 */
static __always_inline __u64 payload_in(struct sock *sk)
{
	__u64 n = BPF_CORE_READ((struct tcp_sock *)sk, bytes_received);
	return n - (n && (BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE_BIT & 1));
}

/* Payload bytes sent, each once (bytes_sent counts retransmissions again; 4.19+). */
static __always_inline __u64 payload_out(struct sock *sk)
{
	return BPF_CORE_READ((struct tcp_sock *)sk, bytes_sent) - BPF_CORE_READ((struct tcp_sock *)sk, bytes_retrans);
}

/*
 * The registers with which the current thread entered the kernel: bpf_task_pt_regs (5.15, dd6e10fbd9fb) with
 * bpf_get_current_task_btf (5.11). Only for programs that are not loaded on older kernels.
 */
static __always_inline struct pt_regs *user_regs(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

/* Of the system call that the current thread is in. */
struct pt_regs___syscallno {
	int syscallno;
} __attribute__((preserve_access_index));

static __always_inline int syscall_nr(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return BPF_CORE_READ((struct pt_regs___syscallno *)regs, syscallno);
#endif
}

#if defined(__TARGET_ARCH_x86)
#define NR_LISTEN 50
#define NR_ACCEPT 43
#define NR_ACCEPT4 288
#else
#define NR_LISTEN 201
#define NR_ACCEPT 202
#define NR_ACCEPT4 242
#endif

/* What listen() was called with, before somaxconn caps it. False when another call made the socket listen. */
static __always_inline bool listen_argument(__u32 *backlog)
{
	struct pt_regs *regs = user_regs();

	if (syscall_nr(regs) != NR_LISTEN)
		return false;
	*backlog = (__u32)REG_ARG2(regs);
	return true;
}

#endif
