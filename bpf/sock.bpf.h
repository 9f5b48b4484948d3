/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What is read from a socket, and which sockets are watched. */
#ifndef BELTRACE_SOCK_BPF_H
#define BELTRACE_SOCK_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"
#include "compat.bpf.h"

static __always_inline __u32 netns_by(struct sock *sk, enum follow how)
{
	return MEMBER2(how, sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline __u32 netns_of(struct sock *sk)
{
	return netns_by(sk, PROBED);
}

/* skc_num is 0 once the port is given back (inet_put_port), inet_sport stays. */
static __always_inline __u16 local_port_by(struct sock *sk, enum follow how)
{
	__u16 num = MEMBER(how, sk, __sk_common.skc_num);
	return num ? num : bpf_ntohs(MEMBER(how, (struct inet_sock *)sk, inet_sport));
}

static __always_inline __u16 local_port(struct sock *sk)
{
	return local_port_by(sk, PROBED);
}

static __always_inline __u16 remote_port_by(struct sock *sk, enum follow how)
{
	return bpf_ntohs(MEMBER(how, sk, __sk_common.skc_dport));
}

static __always_inline __u16 remote_port(struct sock *sk)
{
	return remote_port_by(sk, PROBED);
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

static __always_inline bool process_chosen(__u32 tgid)
{
	__u8 *by = bpf_map_lookup_elem(&watched_pids, &tgid);

	return by && (*by & filter_pids) == filter_pids;
}

static __always_inline bool process_wanted(__u32 tgid, const __u8 *comm)
{
	if (tgid == self_tgid)
		return false;
	if (filter_pids && !process_chosen(tgid))
		return false;
	return comm_wanted(comm);
}

/* What a process has besides sockets: with a filter by port or network namespace only that of servers of such sockets. */
static __always_inline bool server_wanted(__u32 tgid, const __u8 *comm)
{
	if (!process_wanted(tgid, comm))
		return false;
	return (!filter_ports && !filter_netns) || bpf_map_lookup_elem(&servers, &tgid);
}

/* Makes the current process the owner of a socket. Only in process context. Its name is that of its first thread. */
static __always_inline void take_owner(struct sock_info *info)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct task_struct *task;

	info->pid = id >> 32;
	info->tid = (__u32)id;
	if (typed_task()) {
		task = (struct task_struct *)bpf_get_current_task_btf();
		task = task->group_leader;
		((__u64 *)info->comm)[0] = *(__u64 *)&task->comm[0];
		((__u64 *)info->comm)[1] = *(__u64 *)&task->comm[8];
	} else {
		task = (struct task_struct *)bpf_get_current_task();
		bpf_probe_read_kernel(info->comm, sizeof(info->comm), &BPF_CORE_READ(task, group_leader)->comm);
	}
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

/* The current process. */
static __always_inline void put_current(struct event *e)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid();

	e->pid = id >> 32;
	e->tid = (__u32)id;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), &BPF_CORE_READ(task, group_leader)->comm);
	e->has |= HAS_OWNER;
}

/* An IPv6 address, to where there is room for 16 bytes. */
#define COPY_ADDR6(how, to, sk, member)                                          \
	do {                                                                     \
		if ((how) == TYPED) {                                            \
			((__be32 *)(to))[0] = (sk)->member.in6_u.u6_addr32[0];   \
			((__be32 *)(to))[1] = (sk)->member.in6_u.u6_addr32[1];   \
			((__be32 *)(to))[2] = (sk)->member.in6_u.u6_addr32[2];   \
			((__be32 *)(to))[3] = (sk)->member.in6_u.u6_addr32[3];   \
		} else {                                                         \
			BPF_CORE_READ_INTO((struct in6_addr *)(to), sk, member); \
		}                                                                \
	} while (0)

static __always_inline void put_local_by(struct event *e, struct sock *sk, enum follow how)
{
	__u16 family = MEMBER(how, sk, __sk_common.skc_family);

	e->netns = netns_by(sk, how);
	e->lport = local_port_by(sk, how);
	if (family == AF_INET) {
		e->family = 4;
		*(__be32 *)e->laddr = MEMBER(how, sk, __sk_common.skc_rcv_saddr);
	} else if (family == AF_INET6) {
		e->family = 6;
		COPY_ADDR6(how, e->laddr, sk, __sk_common.skc_v6_rcv_saddr);
	} else {
		return;
	}
	if (e->lport)
		e->has |= HAS_LOCAL;
}

static __always_inline void put_family(struct event *e, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	e->family = family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

static __always_inline void put_local(struct event *e, struct sock *sk)
{
	put_local_by(e, sk, PROBED);
}

static __always_inline void put_remote_by(struct event *e, struct sock *sk, enum follow how)
{
	e->rport = remote_port_by(sk, how);
	if (e->family == 4)
		*(__be32 *)e->raddr = MEMBER(how, sk, __sk_common.skc_daddr);
	else if (e->family == 6)
		COPY_ADDR6(how, e->raddr, sk, __sk_common.skc_v6_daddr);
	if (e->rport)
		e->has |= HAS_REMOTE;
}

static __always_inline void put_remote(struct event *e, struct sock *sk)
{
	put_remote_by(e, sk, PROBED);
}

/* Keeps the address of a listener, from its own event, for those of its children. */
static __always_inline void keep_address(struct sock_info *info, const struct event *e)
{
	info->family = e->family;
	info->lport = e->lport;
	__builtin_memcpy(info->place.laddr, e->laddr, sizeof(info->place.laddr));
}

/* What is known of the listener at an address; NULL if nothing is. */
static __always_inline struct sock_info *listener_info(__u64 listener)
{
	struct sock_info *info = listener ? info_of((void *)listener) : 0;

	return info && info->role == ROLE_LISTENER ? info : 0;
}

static __always_inline void put_parent(struct event *e, const struct sock_info *listener)
{
	if (!listener)
		return;
	e->listener = listener->id;
	e->listener_port = listener->lport ? listener->lport : e->lport; /* listen() has not returned yet */
	e->listener_family = listener->family;
	__builtin_memcpy(e->listener_addr, listener->place.laddr, sizeof(e->listener_addr));
	e->has |= HAS_LISTENER;
}

static __always_inline void put_listener(struct event *e, struct sock *listener)
{
	put_parent(e, listener_info((__u64)listener));
}

/* The length of an accept queue and its limit, which lie side by side. */
static __always_inline void read_accept_queue(struct sock *listener, __u32 *length, __u32 *limit)
{
	__u32 both[2] = {};

	if (bpf_core_field_offset(listener->sk_max_ack_backlog) ==
	    bpf_core_field_offset(listener->sk_ack_backlog) + sizeof(*both)) {
		bpf_probe_read_kernel(both, sizeof(both), &listener->sk_ack_backlog);
	} else {
		both[0] = BPF_CORE_READ(listener, sk_ack_backlog);
		both[1] = BPF_CORE_READ(listener, sk_max_ack_backlog);
	}
	*length = both[0];
	*limit = both[1];
}

static __always_inline void put_queues(struct queue_event *e, struct sock *listener)
{
	read_accept_queue(listener, &e->accept_queue, &e->backlog);
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

/* The TCP socket behind an open file that an iterator gave; NULL: it is another file, or there are no more. */
static __always_inline struct sock *iterated_sock(struct task_struct *task, struct file *file)
{
	return task && file ? sock_of_file(file) : 0;
}

static __always_inline struct file *file_of_fd(int fd)
{
	struct task_struct *task;
	struct fdtable *fdt;
	struct file *file = 0, **slot;

	if (fd < 0)
		return 0;
	if (typed_task()) {
		task = (struct task_struct *)bpf_get_current_task_btf();
		fdt = task->files->fdt;
		if ((__u32)fd >= fdt->max_fds)
			return 0;
		slot = fdt->fd + fd;
	} else {
		task = (struct task_struct *)bpf_get_current_task();
		fdt = BPF_CORE_READ(task, files, fdt);
		if ((__u32)fd >= BPF_CORE_READ(fdt, max_fds))
			return 0;
		slot = BPF_CORE_READ(fdt, fd) + fd;
	}
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	return file;
}

/* The same of another process. */
static __always_inline struct file *file_of_task(struct task_struct *task, int fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file *file = 0;

	if (fd >= 0 && fdt && (__u32)fd < BPF_CORE_READ(fdt, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(fdt, fd) + fd);
	return file;
}

/* The socket behind a file descriptor of the current process, by probe reads: works in every kind of program. */
static __always_inline struct sock *sock_of_fd(int fd)
{
	struct file *file = file_of_fd(fd);

	return file ? sock_of_file(file) : 0;
}

/* The same for the file that accept() just made: a socket that is known needs no further proof of what it is. */
static __always_inline struct sock *accepted_file(struct file *file, struct sock_info **info)
{
	struct socket *socket;
	struct sock *sk;

	if (!file)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	*info = info_of(sk);
	if (*info)
		return sk;
	sk = sock_of_file(file);
	if (sk)
		*info = info_of(sk);
	return sk;
}

static __always_inline struct sock *accepted_sock(int fd, struct sock_info **info)
{
	return accepted_file(file_of_fd(fd), info);
}

#endif
