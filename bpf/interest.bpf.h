/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What epoll instances wait for: descriptors are added and removed, and become ready. The callback through which a file says
 * that it is ready runs for each packet of the host: it is hooked only while somebody looks, and ends at once for instances
 * on which no watched loop waits.
 */
#ifndef BELTRACE_INTEREST_BPF_H
#define BELTRACE_INTEREST_BPF_H

#include "loops.bpf.h"

#define MAX_READIED 16384

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_READIED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ready_key);
	__type(value, struct ready_count);
} readied SEC(".maps");

/* The arguments of do_epoll_ctl, from its entry to its return. */
struct control {
	__s32 epfd;
	__s32 op;
	__s32 fd;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct control);
} controls SEC(".maps");

enum epoll_op {
	EPOLL_CTL_ADD = 1,
	EPOLL_CTL_DEL,
	EPOLL_CTL_MOD,
};

/* The instance of a descriptor of the current process, if anybody wants to know of it. */
static __always_inline __u64 wanted_instance(int epfd)
{
	if (!loops_on || !loop_wanted(bpf_get_current_pid_tgid() >> 32))
		return 0;
	return instance_of_file(file_of_fd(epfd));
}

/* A descriptor may be added under a number that another one had before: its count begins anew, if it is. */
static __always_inline int control_begins(int epfd, int op, int fd)
{
	struct ready_key key = {.fd = fd};
	struct ready_count *r;

	if (op != EPOLL_CTL_ADD)
		return 0;
	key.ep = wanted_instance(epfd);
	if (!key.ep)
		return 0;
	r = bpf_map_lookup_elem(&readied, &key);
	if (r)
		r->mark = r->times;
	return 0;
}

/* The loop of this thread on that descriptor waits on this instance from now on, if it did on another one. */
static __always_inline void bind_loop(int epfd, __u64 ep)
{
	struct loop_key key = {.tid = (__u32)bpf_get_current_pid_tgid(), .fd = epfd};
	struct loop *l = bpf_map_lookup_elem(&loops, &key);

	if (l)
		l->ep = ep;
}

static __always_inline int control_ends(int epfd, int op, int fd, long ret)
{
	struct ready_key key = {.fd = fd};
	struct ready_count *r;
	struct instance *i;

	if (ret)
		return 0;
	key.ep = wanted_instance(epfd);
	if (!key.ep)
		return 0;
	i = instance_get(key.ep, bpf_get_current_pid_tgid() >> 32);
	if (!i)
		return 0;
	switch (op) {
	case EPOLL_CTL_ADD:
		__sync_fetch_and_add(&i->added, 1);
		bind_loop(epfd, key.ep);
		r = bpf_map_lookup_elem(&readied, &key);
		if (r)
			r->base = r->mark;
		break;
	case EPOLL_CTL_MOD:
		__sync_fetch_and_add(&i->modified, 1);
		break;
	case EPOLL_CTL_DEL:
		__sync_fetch_and_add(&i->removed, 1);
		bpf_map_delete_elem(&readied, &key);
		break;
	}
	return 0;
}

/* The same at the end of the system call, whose arguments are in the registers still. */
static __always_inline int control_call(struct pt_regs *regs, long ret)
{
	if (ret || current_is_32bit())
		return 0;
	return control_ends((int)call_arg1(regs), (int)REG_ARG2(regs), (int)REG_ARG3(regs), ret);
}

static __always_inline int instance_ends(__u64 ep)
{
	struct instance *i = bpf_map_lookup_elem(&instances, &ep);

	if (i)
		i->gone = 1;
	return 0;
}

/* Where the end of an instance is not seen: what had the address of a new one is gone. */
static __always_inline int instance_made(long fd)
{
	__u64 ep = fd < 0 || current_is_32bit() ? 0 : wanted_instance((int)fd);

	return ep ? instance_ends(ep) : 0;
}

#define EPOLL_MODES (0xfU << 28) /* EPOLLET, EPOLLONESHOT, EPOLLWAKEUP, EPOLLEXCLUSIVE */

/* Counts that a descriptor said that it is ready. */
static __always_inline void count_ready(struct instance *i, const struct ready_key *key)
{
	struct ready_count first = {.times = 1}, *r = bpf_map_lookup_elem(&readied, key);
	__u64 now = bpf_ktime_get_ns();

	if (!r) {
		first.last = now;
		if (!bpf_map_update_elem(&readied, key, &first, BPF_NOEXIST))
			return;
		r = bpf_map_lookup_elem(&readied, key); /* another CPU was faster, or there is no room */
		if (!r) {
			i->partial = 1;
			return;
		}
	}
	__sync_fetch_and_add(&r->times, 1);
	r->last = now;
}

/*
 * ep_poll_callback(wait, mode, sync, key): the file of wait's item says what it is ready for. As in the function itself, it
 * counts if the item asks for some of that, and not if it is disabled (EPOLLONESHOT). 0: the file does not say what for.
 */
static __always_inline int item_ready(const void *wait, __u32 what)
{
	struct eppoll_entry *entry = 0;
	struct ready_key key = {};
	struct epitem *item;
	struct instance *i;
	__u32 events;

	entry = (struct eppoll_entry *)((__u64)wait - bpf_core_field_offset(entry->wait));
	item = BPF_CORE_READ(entry, base);
	key.ep = (__u64)BPF_CORE_READ(item, ep);
	i = bpf_map_lookup_elem(&instances, &key.ep);
	if (!i)
		return 0;
	events = BPF_CORE_READ(item, event.events);
	if (!(events & ~EPOLL_MODES) || (what && !(what & events)))
		return 0;
	key.fd = BPF_CORE_READ(item, ffd.fd);
	count_ready(i, &key);
	return 0;
}

SEC("fentry/ep_poll_callback")
int BPF_PROG(ready_fentry, void *wait, __u32 mode, int sync, void *key)
{
	return item_ready(wait, (__u32)(__u64)key);
}

SEC("kprobe/ep_poll_callback")
int ready_kprobe(struct pt_regs *ctx)
{
	return item_ready((void *)REG_ARG1(ctx), (__u32)REG_ARG4(ctx));
}

SEC("fentry/do_epoll_ctl")
int BPF_PROG(control_fentry, int epfd, int op, int fd)
{
	return control_begins(epfd, op, fd);
}

SEC("fexit/do_epoll_ctl")
int BPF_PROG(control_fexit, int epfd, int op, int fd, void *event, bool nonblock, int ret)
{
	return control_ends(epfd, op, fd, ret);
}

SEC("fentry/ep_eventpoll_release")
int BPF_PROG(instance_fentry, void *inode, struct file *file)
{
	return instance_ends((__u64)file->private_data);
}

SEC("kprobe/do_epoll_ctl")
int control_kprobe(struct pt_regs *ctx)
{
	struct control c = {.epfd = (int)REG_ARG1(ctx), .op = (int)REG_ARG2(ctx), .fd = (int)REG_ARG3(ctx)};
	__u64 id = bpf_get_current_pid_tgid();

	if (!loops_on || !loop_wanted(id >> 32))
		return 0;
	bpf_map_update_elem(&controls, &id, &c, BPF_ANY);
	return control_begins(c.epfd, c.op, c.fd);
}

SEC("kretprobe/do_epoll_ctl")
int control_kretprobe(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct control *c = bpf_map_lookup_elem(&controls, &id), copy;

	if (!c)
		return 0;
	copy = *c;
	bpf_map_delete_elem(&controls, &id);
	return control_ends(copy.epfd, copy.op, copy.fd, (int)REG_RET(ctx));
}

SEC("kprobe/ep_eventpoll_release")
int instance_kprobe(struct pt_regs *ctx)
{
	return instance_ends((__u64)BPF_CORE_READ((struct file *)REG_ARG2(ctx), private_data));
}

SEC("tracepoint/syscalls/sys_exit_epoll_ctl")
int epoll_ctl_exit(struct sys_exit *ctx)
{
	return control_call(user_regs(), ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_epoll_create")
int epoll_create_exit(struct sys_exit *ctx)
{
	return instance_made(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_epoll_create1")
int epoll_create1_exit(struct sys_exit *ctx)
{
	return instance_made(ctx->ret);
}

#endif
