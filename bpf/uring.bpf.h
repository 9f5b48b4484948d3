/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * io_uring: each operation from its submission to its completion, added up by ring and operation. Every submission fires a
 * tracepoint when the kernel takes it, and every completion one when it is put into the queue, in whatever thread.
 */
#ifndef BELTRACE_URING_BPF_H
#define BELTRACE_URING_BPF_H

#define MAX_OPERATIONS 65536

/*
 * An operation. Its io_kiocb names it; before 5.17 its completion does not tell which that is, but the ring and user_data,
 * which need not be unique.
 */
struct operation_key {
	__u64 a;
	__u64 b;
};

struct operation {
	__u64 ts;
	__u64 ring;
	__u64 user_data;
	__u32 position; /* in the submission queue */
	__u32 same;	/* that are in flight by this key; 0: none is */
	__u8 op;
	__u8 how;
	__u8 skipped; /* its completion is not one of those in flight */
	__u8 mixed;   /* several were in flight: which one completes is not known */
	__u8 pad[4];
};

/* A request's memory is used again for the next one, and so is its entry. */
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

	if (file || !bpf_core_field_exists(req->cqe))
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
		if (bpf_core_field_exists(struct io_sr_msg, flags))
			return BPF_CORE_READ((struct io_sr_msg *)req, flags) & RECV_MULTISHOT;
		return false;
	case OP_ACCEPT:
	case OP_POLL_ADD:
	case OP_TIMEOUT:
	case OP_READ_MULTISHOT:
		return true;
	}
	return false;
}

/* by_request: completions name the request. */
static __always_inline int on_submit(struct io_kiocb *req, bool by_request, enum follow how)
{
	struct io_ring_ctx *ctx = MEMBER(how, req, ctx);
	struct operation_key key = {.a = (__u64)req};
	struct operation fresh = {.ring = (__u64)ctx}, *o;
	struct ring *r = ring_of((__u64)ctx);
	struct io_rings *shared;
	struct uring_event *e;
	struct ring_op *sum;
	__u32 flags, taken;

	if (!r)
		return 0;
	r->tid = (__u32)bpf_get_current_pid_tgid();
	shared = MEMBER(how, ctx, rings);
	flags = request_flags(req, how);
	taken = MEMBER(how, shared, sq.head);
	fresh.position = MEMBER(how, ctx, cached_sq_head);
	fresh.user_data = request_user_data(req, how);
	fresh.op = MEMBER(how, req, opcode);
	fresh.how = HOW_INLINE;
	fresh.same = 1;
	fresh.skipped = !!(flags & SQE_CQE_SKIP);
	if (fresh.position - taken == 1) { /* the first one of this call */
		if (r->in_batch)
			add_batch(&r->submits, r->in_batch);
		r->in_batch = 0;
		look_at_reaps(r, MEMBER(how, shared, cq.head));
	}
	r->in_batch += 1;
	sum = ring_op_of((__u64)ctx, fresh.op);
	if (sum) {
		__sync_fetch_and_add(&sum->submitted, 1);
		if (flags & (SQE_LINK | SQE_HARDLINK))
			__sync_fetch_and_add(&sum->linked, 1);
		if (flags & SQE_FIXED_FILE)
			__sync_fetch_and_add(&sum->fixed, 1);
		if (fresh.op == OP_ACCEPT && accepts_directly(req))
			__sync_fetch_and_add(&sum->direct, 1);
	}
	if (!by_request) {
		key.a = (__u64)ctx;
		key.b = fresh.user_data;
	}
	fresh.ts = bpf_ktime_get_ns();
	o = bpf_map_lookup_elem(&operations, &key);
	if (o) {
		if (!by_request) {
			fresh.same += o->same;
			fresh.mixed = 1;
		}
		*o = fresh;
	} else if (bpf_map_update_elem(&operations, &key, &fresh, BPF_ANY)) {
		fresh.skipped = 1;
	}
	if (fresh.skipped && sum)
		__sync_fetch_and_add(&sum->skipped, 1);
	if (by_request && way_of(fresh.op) >= 0)
		note_request(req, fresh.op, submitted_file(req));
	if (by_request && may_repeat(req, fresh.op)) {
		key.a = (__u64)ctx;
		key.b = fresh.user_data;
		bpf_map_update_elem(&multishots, &key, &fresh, BPF_ANY);
	}
	if (!emit_uring)
		return 0;
	e = uring_event_of(EVENT_URING_SUBMIT, r, fresh.ts, fresh.op, fresh.user_data);
	if (e)
		event_send(e);
	return 0;
}

/* The operation took another way than at once. */
static __always_inline int on_way(struct io_kiocb *req, bool by_request, enum follow follow, __u8 how)
{
	struct operation_key key = {.a = (__u64)req};
	struct operation *o;

	if (!by_request) {
		key.a = (__u64)MEMBER(follow, req, ctx);
		key.b = request_user_data(req, follow);
	}
	o = bpf_map_lookup_elem(&operations, &key);
	if (!o || !o->same)
		return 0;
	o->how = how;
	if (by_request && how == HOW_POLL) /* its file is known by now, also if it has no descriptor */
		note_request(req, o->op, BPF_CORE_READ(req, file));
	if (by_request && may_repeat(req, o->op)) {
		key.a = o->ring;
		key.b = o->user_data;
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
static __always_inline struct operation *completed(__u64 ctx, __u64 req, __u64 user_data, bool by_request, bool *live)
{
	struct operation_key key = {.a = req};
	struct operation *o;

	*live = false;
	if (!by_request || !req) {
		key.a = ctx;
		key.b = user_data;
	}
	o = bpf_map_lookup_elem(&operations, &key);
	if (o && o->same && o->user_data == user_data && o->ring == ctx) {
		*live = true;
		return o;
	}
	if (!by_request)
		return 0;
	key.a = ctx;
	key.b = user_data;
	return bpf_map_lookup_elem(&multishots, &key);
}

/* latency 0: it is not known. */
static __always_inline void tell_completion(struct ring *r, const struct completion *c, __u64 now, __u8 op, __u8 how,
					    __u64 latency)
{
	struct uring_event *e = uring_event_of(EVENT_URING_COMPLETE, r, now, op, c->user_data);

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

static __always_inline int on_complete(__u64 ctx, __u64 req, const struct completion *c, bool by_request)
{
	struct ring *r = ring_of(ctx);
	__u64 now, latency = 0, user_data = c->user_data;
	struct operation_key key = {.a = ctx, .b = user_data};
	bool live, more = c->flags & CQE_MORE, timed, strange;
	struct operation *o;
	struct ring_op *sum;
	__u8 op, how = HOW_UNKNOWN;

	if (!r)
		return 0;
	now = bpf_ktime_get_ns();
	r->operations += 1;
	o = completed(ctx, req, user_data, by_request, &live);
	if (o)
		op = o->op;
	else if (req)
		op = BPF_CORE_READ((struct io_kiocb *)req, opcode);
	else
		op = OP_UNKNOWN;
	timed = live && !o->mixed && !more;
	if (o)
		how = o->how;
	if (timed)
		latency = now - o->ts;
	/* The head of the queue moves when the call that took the submission ends. */
	if (how == HOW_INLINE && (__s32)(o->position - BPF_CORE_READ((struct io_ring_ctx *)ctx, rings, sq.head)) <= 0)
		how = HOW_UNKNOWN;
	strange = !more && (!live || o->skipped);
	if (live && !more) {
		o->same -= 1;
		if (!by_request && !o->same)
			bpf_map_delete_elem(&operations, &key);
	}
	sum = ring_op_of(ctx, op);
	if (sum) {
		__sync_fetch_and_add(&sum->how[how & (HOWS - 1)], 1);
		if (c->res < 0)
			__sync_fetch_and_add(&sum->errors, 1);
		if (more)
			__sync_fetch_and_add(&sum->more, 1);
		if (strange)
			__sync_fetch_and_add(&sum->strange, 1);
		if (timed)
			add_latency(sum, latency);
	}
	if (emit_uring)
		tell_completion(r, c, now, op, how, timed ? latency : 0);
	return 0;
}

/* A completion that found the queue full. Which operation it is of is not told. */
static __always_inline int on_overflow(__u64 ctx, const struct completion *c)
{
	struct ring *r = ring_of(ctx);
	struct ring_op *sum;

	if (!r)
		return 0;
	__sync_fetch_and_add(&r->overflow, 1);
	sum = ring_op_of(ctx, OP_UNKNOWN);
	if (sum) {
		__sync_fetch_and_add(&sum->how[HOW_UNKNOWN], 1);
		if (c->res < 0)
			__sync_fetch_and_add(&sum->errors, 1);
		if (c->flags & CQE_MORE)
			__sync_fetch_and_add(&sum->more, 1);
	}
	if (emit_uring)
		tell_completion(r, c, bpf_ktime_get_ns(), OP_UNKNOWN, HOW_UNKNOWN, 0);
	return 0;
}

#endif
