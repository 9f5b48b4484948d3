// SPDX-License-Identifier: (MIT OR GPL-2.0-only)

//go:build ignore

/* One object, since programs share maps; one header a concern. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>

#include "kernel.h"
#include "regs.h"

#define __VMLINUX_H__ /* bpf_tracing.h: we bring struct pt_regs ourselves */
#include <bpf/bpf_tracing.h>

#include "event.h"
#include "config.bpf.h"
#include "maps.bpf.h"
#include "callnumbers.h"
#include "compat.bpf.h"
#include "sock.bpf.h"
#include "stack.bpf.h"
#include "stall.bpf.h"
#include "offcpu.bpf.h"
#include "sched.bpf.h"
#include "instances.bpf.h"
#include "loops.bpf.h"
#include "packet.bpf.h"
#include "tally.bpf.h"
#include "listen.bpf.h"
#include "refuse.bpf.h"
#include "last_ack.bpf.h"
#include "unreached.bpf.h"
#include "call.bpf.h"
#include "request.bpf.h"
#include "serve.bpf.h"
#include "move.bpf.h"
#include "place.bpf.h"
#include "io.bpf.h"
#include "iohooks.bpf.h"
#include "unread.bpf.h"
#include "conn.bpf.h"
#include "connect.bpf.h"
#include "accept_error.bpf.h"
#include "accept.bpf.h"
#include "interest.bpf.h"
#include "loophooks.bpf.h"
#include "loopcalls.bpf.h"
#include "loopseed.bpf.h"
#include "segment.bpf.h"
#include "seed.bpf.h"
#include "process.bpf.h"
#include "mark.bpf.h"
#include "rings.bpf.h"
#include "uring.bpf.h"
#include "uringhooks.bpf.h"
#include "ringaccept.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
