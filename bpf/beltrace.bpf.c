// SPDX-License-Identifier: (MIT OR GPL-2.0-only)

//go:build ignore

/* One object, since programs share maps; one header a concern, which brings what it needs. */
#include "sched.bpf.h"
#include "refuse.bpf.h"
#include "last_ack.bpf.h"
#include "unreached.bpf.h"
#include "move.bpf.h"
#include "iohooks.bpf.h"
#include "unread.bpf.h"
#include "conn.bpf.h"
#include "connect.bpf.h"
#include "accept_error.bpf.h"
#include "pace.bpf.h"
#include "accept.bpf.h"
#include "interest.bpf.h"
#include "loophooks.bpf.h"
#include "loopcalls.bpf.h"
#include "loopseed.bpf.h"
#include "segment.bpf.h"
#include "seed.bpf.h"
#include "process.bpf.h"
#include "group.bpf.h"
#include "mark.bpf.h"
#include "uringhooks.bpf.h"
#include "ringaccept.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
