/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The kernel's structs, cut down to the members that are read. CO-RE finds the real offsets at load. */
#ifndef BELTRACE_KERNEL_H
#define BELTRACE_KERNEL_H

#include <linux/types.h>

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

#define S_IFMT 00170000
#define S_IFSOCK 0140000

#define SOCK_DONE_BIT 1 /* enum sock_flags: a FIN was received */

enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

struct netns_core {
	int sysctl_somaxconn;
};

struct netns_ipv4 {
	__u8 sysctl_tcp_syncookies; /* int before 5.14: the low byte, on our little-endian machines */
	__u8 sysctl_tcp_abort_on_overflow;
	int sysctl_max_syn_backlog;
};

struct net {
	struct ns_common ns;
	struct netns_core core;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	union {
		unsigned long skc_flags;
		struct sock *skc_listener;
	};
};

struct sock {
	struct sock_common __sk_common;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	__u16 sk_protocol;
	int sk_err;
	atomic_t sk_drops;
	struct socket *sk_socket;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct request_sock_queue {
	atomic_t qlen;
	atomic_t young;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
};

struct list_head {
	struct list_head *next;
};

struct tcp_sock {
	struct list_head tsorted_sent_queue;
	__u32 srtt_us;
	__u32 total_retrans;
	__u64 bytes_received;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u32 mss_cache;
	__u32 snd_wnd;
	__u8 nonagle : 4;
};

struct mptcp_sock {
	struct sock *first;
};

struct request_sock {
	struct sock_common __req_common;
};

struct net_device {
	possible_net_t nd_net;
};

struct dst_entry {
	unsigned short flags;
};

struct rtable {
	struct dst_entry dst;
	__u16 rt_type;
};

struct rt6_info {
	__u32 rt6i_flags;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	__be16 protocol;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
};

struct inode {
	unsigned short i_mode;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
};

struct io_uring {
	__u32 head;
	__u32 tail;
};

struct io_rings {
	struct io_uring sq;
	struct io_uring cq;
};

struct io_rsrc_node {
	unsigned long file_ptr;
};

struct io_rsrc_data {
	unsigned int nr;
	struct io_rsrc_node **nodes;
};

struct io_fixed_file {
	unsigned long file_ptr;
};

/* data since 6.13 (3597f2786b68), files before */
struct io_file_table {
	struct io_rsrc_data data;
	struct io_fixed_file *files;
};

struct io_ring_ctx {
	unsigned int flags;
	struct io_rings *rings;
	unsigned int cached_sq_head;
	unsigned int sq_entries;
	unsigned int cq_entries;
	unsigned int nr_user_files;
	struct io_file_table file_table;
};

struct io_cqe {
	__u64 user_data;
	int fd; /* until there is a result */
};

struct io_kiocb {
	struct file *file;
	__u8 opcode;
	unsigned int flags; /* 64 bits since 6.9: the low half, on our little-endian machines */
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
	void *async_data;
};

struct io_sr_msg {
	void *buf;
	int len;
	__u16 flags;
};

enum iter_type {
	ITER_UBUF,
};

struct iov_iter {
	__u8 iter_type;
	void *ubuf;
};

struct msghdr {
	struct iov_iter msg_iter;
};

struct io_async_msghdr {
	struct msghdr msg;
};

struct io_rw {
	__u64 addr;
	__u32 len;
};

struct io_accept {
	__u32 file_slot;
};

struct io_uring_cqe {
	__u64 user_data;
	__s32 res;
	__u32 flags;
};

struct wait_queue_entry {
	unsigned int flags;
};

struct epoll_filefd {
	int fd;
};

struct epoll_event {
	__u32 events;
};

struct epitem {
	struct epoll_filefd ffd;
	void *ep;
	struct epoll_event event;
};

struct eppoll_entry {
	struct epitem *base;
	struct wait_queue_entry wait;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct socket {
	struct sock *sk;
};

struct signal_struct {
	atomic_t live;
};

struct sched_entity {
	__u64 sum_exec_runtime, prev_sum_exec_runtime;
};

struct task_struct {
	struct sched_entity se;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	struct files_struct *files;
	struct signal_struct *signal;
	struct css_set *cgroups;
	char comm[16];
	unsigned int flags;
	unsigned int __state;
	unsigned int frozen : 1;
	__u8 on_cpu; /* an int before 7.3: its first byte is enough */
	void *stack;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct sock *sk;
	void *value;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *map;
	void *key;
	void *value;
};

#pragma clang attribute pop

#endif
