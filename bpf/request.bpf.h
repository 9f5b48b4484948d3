/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The request of io_uring that moves the bytes of a socket: no system call has its buffer. Requests are noted when they are
 * submitted and when they wait, while rings are watched.
 */
#ifndef BELTRACE_REQUEST_BPF_H
#define BELTRACE_REQUEST_BPF_H

#include "call.bpf.h"

#define OP_POLL_ADD 6
#define OP_READV 1
#define OP_WRITEV 2
#define OP_SENDMSG 9
#define OP_RECVMSG 10
#define OP_TIMEOUT 11
#define OP_ACCEPT 13
#define OP_READ 22
#define OP_WRITE 23
#define OP_SEND 26
#define OP_RECV 27
#define OP_SEND_ZC 47
#define OP_READ_MULTISHOT 49

#define SQE_FIXED_FILE 1

struct moving_key {
	__u64 sk;
	__u64 out;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct moving_key);
	__type(value, __u64); /* the io_kiocb */
} requests_of SEC(".maps");

/* Which way an operation moves bytes: 1 to the socket, 0 from it, -1 neither. */
static __always_inline int way_of(__u8 op)
{
	switch (op) {
	case OP_READ:
	case OP_READV:
	case OP_RECV:
	case OP_RECVMSG:
		return 0;
	case OP_WRITE:
	case OP_WRITEV:
	case OP_SEND:
	case OP_SENDMSG:
	case OP_SEND_ZC:
		return 1;
	}
	return -1;
}

/* Keeps the request that will move bytes of a socket that is watched. */
static __always_inline void note_request(struct io_kiocb *req, __u8 op, struct file *file)
{
	struct moving_key key = {};
	__u64 value = (__u64)req;
	int way = way_of(op);
	struct sock_info *info;

	if (way < 0 || !file)
		return;
	key.sk = (__u64)sock_of_file(file);
	key.out = way;
	info = key.sk ? info_of((void *)key.sk) : 0;
	if (info && info->watched)
		bpf_map_update_elem(&requests_of, &key, &value, BPF_ANY);
}

/*
 * Where the request that moves the bytes has its buffer. The request is still at work, or its memory is another one's: it is
 * looked at whether it is one of that socket and direction.
 */
static __noinline void look_at_request(struct user_call *c, struct sock *sk, bool out)
{
	struct moving_key key = {.sk = (__u64)sk, .out = out};
	__u64 *noted = bpf_map_lookup_elem(&requests_of, &key);
	struct io_kiocb *req;
	struct file *file;
	__u64 length;
	__u8 op;

	if (!noted)
		return;
	req = (struct io_kiocb *)*noted;
	op = BPF_CORE_READ(req, opcode);
	file = BPF_CORE_READ(req, file);
	if (way_of(op) != out || !file || sock_of_file(file) != sk)
		return;
	c->nr = RING_CALL | op;
	if (keeps_fd(req) && !(BPF_CORE_READ(req, flags) & SQE_FIXED_FILE))
		c->fd = BPF_CORE_READ(req, cqe.fd);
	switch (op) {
	case OP_RECV:
	case OP_SEND:
	case OP_SEND_ZC:
		c->buffer = buffer_of(req);
		length = (__u32)BPF_CORE_READ((struct io_sr_msg *)req, len);
		c->length = length ? length : ~0ULL; /* all of the buffer that the kernel chose */
		break;
	case OP_READ:
	case OP_WRITE:
		c->buffer = BPF_CORE_READ((struct io_rw *)req, addr);
		c->length = BPF_CORE_READ((struct io_rw *)req, len);
		break;
	}
}

#endif
