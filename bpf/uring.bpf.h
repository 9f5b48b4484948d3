/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * io_uring: each operation from its submission to its completion, added up by ring and operation. Every submission fires a
 * tracepoint when the kernel takes it, and every completion one when it is put into the queue, in whatever thread.
 */
#ifndef BELTRACE_URING_BPF_H
#define BELTRACE_URING_BPF_H

#include "request.bpf.h"
#include "rings.bpf.h"

#define MAX_OPERATIONS 65536

struct operation_key {
	__u64 a;
	__u64 b;
};

/*
 * Operations that have no place of their ring's own: where a completion does not name its request, and where another request
 * is at that place. A request's memory is used again for the next one, and so is its entry.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_OPERATIONS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct operation_key);
	__type(value, struct operation);
} operations SEC(".maps");

/* Operations that may have several completions, by ring and user_data: all but the last name no request. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct operation_key);
	__type(value, struct operation);
} multishots SEC(".maps");

#define SQE_LINK 4
#define SQE_HARDLINK 8
#define SQE_CQE_SKIP 64
#define CQE_MORE 2
#define RECV_MULTISHOT 2

/*
 * The file of an operation that was just submitted: since 5.19 (4ffaa94b9c04) it is looked up later, by the descriptor or
 * the number among the ring's registered files.
 */
static __always_inline struct file *submitted_file(struct io_kiocb *req)
{
	struct file *file = BPF_CORE_READ(req, file);
	int fd;

	if (file || !keeps_fd(req))
		return file;
	fd = BPF_CORE_READ(req, cqe.fd);
	if (request_flags(req, PROBED) & SQE_FIXED_FILE)
		return registered_file(BPF_CORE_READ(req, ctx), fd);
	return file_of_fd(fd);
}

static __always_inline struct uring_event *uring_event_of(__u8 kind, struct ring *r, __u64 ts, __u8 op, __u64 user_data)
{
	struct uring_event *e = event_at(kind, sizeof(*e), ts);
	__u64 id = bpf_get_current_pid_tgid();

	if (!e)
		return 0;
	e->e.pid = r->pid;
	__builtin_memcpy(e->e.comm, r->comm, sizeof(e->e.comm));
	e->e.has = HAS_OWNER;
	if (id >> 32 == r->pid)
		e->e.tid = (__u32)id;
	e->ring = r->number;
	e->op = op;
	e->user_data = user_data;
	return e;
}

static __always_inline bool may_repeat(struct io_kiocb *req, __u8 op)
{
	switch (op) {
	case OP_RECV:
	case OP_RECVMSG:
		return receive_flags(req) & RECV_MULTISHOT;
	case OP_ACCEPT:
	case OP_POLL_ADD:
	case OP_TIMEOUT:
	case OP_READ_MULTISHOT:
		return true;
	}
	return false;
}

/* An operation's place is that of its request's address, in units of its size, if no other one in flight is there. */
static __always_inline struct operation *place_of(struct ring_work *w, __u64 req)
{
	return &w->places[req >> 8 & (RING_PLACES - 1)];
}

/* A request's address as a number: the verifier does not let us count with a pointer that has a type, until it was in memory. */
static __always_inline __u64 number_of(struct io_kiocb *req, __u64 *memory)
{
	*(volatile __u64 *)memory = (__u64)req;
	return *(volatile __u64 *)memory;
}

/* The key of an operation that has no place. by_request: completions name the request. */
static __always_inline struct operation_key key_of(__u64 ctx, __u64 req, __u64 user_data, bool by_request)
{
	struct operation_key key = {.a = req};

	if (!by_request) {
		key.a = ctx;
		key.b = user_data;
	}
	return key;
}

/* False: there is no room for it. */
static __always_inline bool keep_operation(struct ring_work *w, __u64 ctx, __u64 req, __u64 user_data, bool by_request,
					   struct operation *fresh)
{
	struct operation_key key;
	struct operation *o;

	if (by_request) {
		o = place_of(w, req);
		if (!o->same || o->of == req) {
			*o = *fresh;
			o->of = req;
			return true;
		}
	}
	key = key_of(ctx, req, user_data, by_request);
	o = bpf_map_lookup_elem(&operations, &key);
	if (!o)
		return !bpf_map_update_elem(&operations, &key, fresh, BPF_ANY);
	if (!by_request) {
		fresh->same += o->same;
		fresh->mixed = 1;
	}
	*o = *fresh;
	return true;
}

/* The first submission of a call: what the one before it took is known now. */
static __always_inline void call_begins(struct ring_work *w, __u32 cq_head)
{
	w->tid = (__u32)bpf_get_current_pid_tgid();
	if (w->in_batch)
		add_batch(&w->submits, w->in_batch);
	w->in_batch = 0;
	look_at_reaps(w, cq_head);
	look_at_pace(w);
}

/* What not every submission is. */
static __always_inline void count_odd(struct ring_work *w, struct io_kiocb *req, __u32 flags, __u8 op, bool skipped)
{
	bool direct = op == OP_ACCEPT && accepts_directly(req);
	struct ring_op *sum;

	if (!direct && !skipped && !(flags & (SQE_LINK | SQE_HARDLINK | SQE_FIXED_FILE)))
		return;
	sum = ring_op_of(w, op);
	if (!sum)
		return;
	if (flags & (SQE_LINK | SQE_HARDLINK))
		__sync_fetch_and_add(&sum->linked, 1);
	if (flags & SQE_FIXED_FILE)
		__sync_fetch_and_add(&sum->fixed, 1);
	if (direct)
		__sync_fetch_and_add(&sum->direct, 1);
	if (skipped)
		__sync_fetch_and_add(&sum->skipped, 1);
}

static __always_inline void tell_submission(__u64 ctx, const struct operation *o, __u64 user_data)
{
	struct ring *r = bpf_map_lookup_elem(&rings, &ctx);
	struct uring_event *e;

	if (!r)
		return;
	e = uring_event_of(EVENT_URING_SUBMIT, r, o->ts, o->op, user_data);
	if (e)
		event_send(e);
}

static __always_inline int on_submit(struct io_kiocb *req, bool by_request, enum follow how)
{
	struct io_ring_ctx *ctx = MEMBER(how, req, ctx);
	struct operation fresh = {.of = (__u64)ctx, .how = HOW_INLINE, .same = 1};
	struct ring_work *w = work_of((__u64)ctx);
	struct operation_key key;
	struct io_rings *shared;
	struct ring_count *n;
	__u64 user_data;
	__u32 flags;

	if (!w)
		return 0;
	shared = MEMBER(how, ctx, rings);
	flags = request_flags(req, how);
	fresh.position = MEMBER(how, ctx, cached_sq_head);
	fresh.op = MEMBER(how, req, opcode);
	fresh.skipped = !!(flags & SQE_CQE_SKIP);
	user_data = request_user_data(req, how);
	if (fresh.position - MEMBER(how, shared, sq.head) == 1)
		call_begins(w, MEMBER(how, shared, cq.head));
	w->in_batch += 1;
	n = count_of(w, fresh.op);
	if (n)
		n->submitted += 1;
	fresh.ts = emit_uring ? bpf_ktime_get_ns() : time_sampled(w);
	if (!keep_operation(w, (__u64)ctx, number_of(req, &w->submitting), user_data, by_request, &fresh))
		fresh.skipped = 1;
	count_odd(w, req, flags, fresh.op, fresh.skipped);
	if (by_request && way_of(fresh.op) >= 0)
		note_request(req, fresh.op, submitted_file(req));
	if (by_request && may_repeat(req, fresh.op)) {
		key = key_of((__u64)ctx, 0, user_data, false);
		bpf_map_update_elem(&multishots, &key, &fresh, BPF_ANY);
	}
	if (emit_uring)
		tell_submission((__u64)ctx, &fresh, user_data);
	return 0;
}

/* The operation took another way than at once. */
static __always_inline int on_way(struct io_kiocb *req, bool by_request, enum follow follow, __u8 how)
{
	__u64 ctx = (__u64)MEMBER(follow, req, ctx), user_data = request_user_data(req, follow), number = 0;
	struct ring_work *w = bpf_map_lookup_elem(&ring_works, &ctx);
	struct operation_key key;
	struct operation *o;

	if (!w)
		return 0;
	bpf_probe_read_kernel(&number, sizeof(number), &req); /* other threads may be here as well: see number_of() */
	o = place_of(w, number);
	if (!by_request || o->of != number) {
		key = key_of(ctx, number, user_data, by_request);
		o = bpf_map_lookup_elem(&operations, &key);
	}
	if (!o || !o->same)
		return 0;
	o->how = how;
	if (by_request && how == HOW_POLL) /* its file is known by now, also if it has no descriptor */
		note_request(req, o->op, BPF_CORE_READ(req, file));
	if (by_request && may_repeat(req, o->op)) {
		key = key_of(ctx, 0, user_data, false);
		o = bpf_map_lookup_elem(&multishots, &key);
		if (o)
			o->how = how;
	}
	return 0;
}

struct completion {
	__u64 user_data;
	__s32 res;
	__u32 flags;
};

/* What is known of the operation that a completion belongs to; NULL: it is older than us. live: it is still in flight. */
static __always_inline struct operation *completed(struct ring_work *w, __u64 ctx, __u64 req, __u64 user_data,
						   bool by_request, bool *live)
{
	struct operation_key key;
	struct operation *o;

	*live = true;
	if (by_request && req) {
		o = place_of(w, req);
		if (o->of == req && o->same)
			return o;
	}
	if (!by_request || req) {
		key = key_of(ctx, req, user_data, by_request);
		o = bpf_map_lookup_elem(&operations, &key);
		if (o && o->same && o->of == ctx)
			return o;
	}
	*live = false;
	if (!by_request)
		return 0;
	key = key_of(ctx, 0, user_data, false);
	return bpf_map_lookup_elem(&multishots, &key);
}

/* latency 0: it is not known. */
static __always_inline void tell_completion(__u64 ctx, const struct completion *c, __u64 now, __u8 op, __u8 how,
					    __u64 latency)
{
	struct ring *r = bpf_map_lookup_elem(&rings, &ctx);
	struct uring_event *e;

	if (!r)
		return;
	e = uring_event_of(EVENT_URING_COMPLETE, r, now, op, c->user_data);
	if (!e)
		return;
	e->res = c->res;
	e->how = how;
	if (latency) {
		e->latency = latency;
		e->e.has |= HAS_DURATION;
	}
	event_send(e);
}

/* What not every completion is. */
static __always_inline void complete_odd(struct ring_work *w, __u8 op, const struct completion *c, bool strange,
					 bool timed, __u64 latency)
{
	struct ring_op *sum;

	if (c->res >= 0 && !(c->flags & CQE_MORE) && !strange && !timed)
		return;
	sum = ring_op_of(w, op);
	if (!sum)
		return;
	if (c->res < 0)
		__sync_fetch_and_add(&sum->errors, 1);
	if (c->flags & CQE_MORE)
		__sync_fetch_and_add(&sum->more, 1);
	if (strange)
		__sync_fetch_and_add(&sum->strange, 1);
	if (timed)
		add_latency(sum, latency);
}

static __always_inline int on_complete(struct io_ring_ctx *ctx, __u64 req, const struct completion *c, bool by_request,
				       enum follow follow)
{
	__u64 address = (__u64)ctx, now = 0, latency = 0, user_data = c->user_data;
	struct ring_work *w = work_of(address);
	bool live, more = c->flags & CQE_MORE, timed, strange;
	struct operation_key key;
	struct operation *o;
	struct ring_count *n;
	__u8 op = OP_UNKNOWN, how = HOW_UNKNOWN;

	if (!w)
		return 0;
	w->operations += 1;
	o = completed(w, address, req, user_data, by_request, &live);
	if (o)
		op = o->op;
	else if (req)
		op = BPF_CORE_READ((struct io_kiocb *)req, opcode);
	timed = live && o->ts && !o->mixed && !more;
	if (timed || emit_uring)
		now = bpf_ktime_get_ns();
	if (timed)
		latency = now - o->ts;
	if (o)
		how = o->how;
	/* The head of the queue moves when the call that took the submission ends. */
	if (how == HOW_INLINE && (__s32)(o->position - MEMBER2(follow, ctx, rings, sq.head)) <= 0)
		how = HOW_UNKNOWN;
	strange = !more && (!live || o->skipped);
	if (live && !more) {
		o->same -= 1;
		if (!by_request && !o->same) {
			key = key_of(address, 0, user_data, false);
			bpf_map_delete_elem(&operations, &key);
		}
	}
	n = count_of(w, op);
	if (n)
		n->how[how & (HOWS - 1)] += 1;
	complete_odd(w, op, c, strange, timed, latency);
	if (emit_uring)
		tell_completion(address, c, now, op, how, latency);
	return 0;
}

/* A completion that found the queue full. Which operation it is of is not told. */
static __always_inline int on_overflow(__u64 ctx, const struct completion *c)
{
	struct ring_work *w = work_of(ctx);
	struct ring_count *n;

	if (!w)
		return 0;
	w->overflow += 1;
	n = count_of(w, OP_UNKNOWN);
	if (n)
		n->how[HOW_UNKNOWN] += 1;
	complete_odd(w, OP_UNKNOWN, c, false, false, 0);
	if (emit_uring)
		tell_completion(ctx, c, bpf_ktime_get_ns(), OP_UNKNOWN, HOW_UNKNOWN, 0);
	return 0;
}

#endif
