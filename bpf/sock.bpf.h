/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What is read from a socket, and which sockets are watched. */
#ifndef BELTRACE_SOCK_BPF_H
#define BELTRACE_SOCK_BPF_H

static __always_inline __u32 netns_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline __u16 remote_port(struct sock *sk)
{
	return bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

static __always_inline bool port_wanted(__u16 local, __u16 remote)
{
	if (!filter_ports)
		return true;
	for (int i = 0; i < MAX_PORTS; i++) {
		if (i >= filter_ports)
			break;
		if (filter_port[i] == local || filter_port[i] == remote)
			return true;
	}
	return false;
}

/* The filters that a socket fulfils or not for all its life. */
static __always_inline bool place_wanted(struct sock *sk, __u16 local, __u16 remote)
{
	return port_wanted(local, remote) && (!filter_netns || filter_netns == netns_of(sk));
}

static __always_inline bool comm_wanted(const __u8 *comm)
{
	if (!filter_comm)
		return true;
	for (int i = 0; i < COMM_LEN; i++) {
		if (comm[i] != (__u8)filter_comm_name[i])
			return false;
		if (!comm[i])
			break;
	}
	return true;
}

static __always_inline bool process_wanted(__u32 tgid, const __u8 *comm)
{
	if (tgid == self_tgid)
		return false;
	if (filter_pids && !bpf_map_lookup_elem(&watched_pids, &tgid))
		return false;
	return comm_wanted(comm);
}

/* Makes the current process the owner of a socket. Only in process context. Its name is that of its first thread. */
static __always_inline void take_owner(struct sock_info *info)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid();

	info->pid = id >> 32;
	info->tid = (__u32)id;
	bpf_probe_read_kernel(info->comm, sizeof(info->comm), &BPF_CORE_READ(task, group_leader)->comm);
}

static __always_inline void put_owner(struct event *e, const struct sock_info *info)
{
	if (!info->pid)
		return;
	e->pid = info->pid;
	e->tid = info->tid;
	__builtin_memcpy(e->comm, info->comm, sizeof(e->comm));
	e->has |= HAS_OWNER;
}

static __always_inline void put_local(struct event *e, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	e->netns = netns_of(sk);
	e->lport = local_port(sk);
	if (family == AF_INET) {
		e->family = 4;
		BPF_CORE_READ_INTO((__u32 *)e->laddr, sk, __sk_common.skc_rcv_saddr);
	} else if (family == AF_INET6) {
		e->family = 6;
		BPF_CORE_READ_INTO((struct in6_addr *)e->laddr, sk, __sk_common.skc_v6_rcv_saddr);
	} else {
		return;
	}
	if (e->lport)
		e->has |= HAS_LOCAL;
}

static __always_inline void put_remote(struct event *e, struct sock *sk)
{
	e->rport = remote_port(sk);
	if (e->family == 4)
		BPF_CORE_READ_INTO((__u32 *)e->raddr, sk, __sk_common.skc_daddr);
	else if (e->family == 6)
		BPF_CORE_READ_INTO((struct in6_addr *)e->raddr, sk, __sk_common.skc_v6_daddr);
	if (e->rport)
		e->has |= HAS_REMOTE;
}

static __always_inline void put_listener(struct event *e, struct sock *listener)
{
	struct sock_info *info = info_of(listener);
	__u16 family;

	if (!listener || !info || info->role != ROLE_LISTENER)
		return;
	family = BPF_CORE_READ(listener, __sk_common.skc_family);
	e->listener = info->id;
	e->listener_port = BPF_CORE_READ(listener, __sk_common.skc_num);
	if (family == AF_INET) {
		e->listener_family = 4;
		BPF_CORE_READ_INTO((__u32 *)e->listener_addr, listener, __sk_common.skc_rcv_saddr);
	} else {
		e->listener_family = 6;
		BPF_CORE_READ_INTO((struct in6_addr *)e->listener_addr, listener, __sk_common.skc_v6_rcv_saddr);
	}
	e->has |= HAS_LISTENER;
}

static __always_inline void put_queues(struct queue_event *e, struct sock *listener)
{
	e->accept_queue = BPF_CORE_READ(listener, sk_ack_backlog);
	e->backlog = BPF_CORE_READ(listener, sk_max_ack_backlog);
	e->syn_queue = BPF_CORE_READ((struct inet_connection_sock *)listener, icsk_accept_queue.qlen.counter);
	e->drops = BPF_CORE_READ(listener, sk_drops.counter);
	e->e.has |= HAS_QUEUES | HAS_SYN_QUEUE | HAS_DROPS;
}

static __always_inline struct sock *sock_of_file(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	return tcp_of(BPF_CORE_READ(socket, sk));
}

/* The socket behind a file descriptor of the current process, by probe reads: works in every kind of program. */
static __always_inline struct sock *sock_of_fd(int fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file *file, **slot;

	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(fdt, max_fds))
		return 0;
	slot = BPF_CORE_READ(fdt, fd) + fd;
	if (bpf_probe_read_kernel(&file, sizeof(file), slot) || !file)
		return 0;
	return sock_of_file(file);
}

#endif
