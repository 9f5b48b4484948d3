/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Notes of cooperating servers: a uprobe on a Go function with four integer arguments. */
#ifndef BELTRACE_MARK_BPF_H
#define BELTRACE_MARK_BPF_H

#include "sock.bpf.h"

SEC("uprobe")
int mark(struct pt_regs *ctx)
{
	__u64 half;
	struct sock_info info = {};
	struct mark_event *e;

	if (!armed)
		return 0;
	take_owner(&info);
	if (!server_wanted(info.pid, info.comm))
		return 0;
	e = event_new(EVENT_MARK, sizeof(*e));
	if (!e)
		return 0;
	put_owner(&e->e, &info);
	half = REG_GO1(ctx);
	__builtin_memcpy(e->name, &half, 8);
	half = REG_GO2(ctx);
	__builtin_memcpy(e->name + 8, &half, 8);
	e->id = REG_GO3(ctx);
	e->phase = REG_GO4(ctx);
	event_send(e);
	return 0;
}

#endif
