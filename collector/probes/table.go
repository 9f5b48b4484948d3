// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// Names of probes that other code asks for.
const (
	State       = "state"
	SYNDrop     = "syn_drop"
	LastACK     = "last_ack"
	Unreached   = "unreached"
	Accept      = "accept"
	FirstAccept = "first_accept"
	End         = "end"
	QueueSample = "queue"
	Seed        = "seed"
	Owners      = "owners"
	Mark        = "mark"
	Children    = "children"
	Group       = "group"
	Threads     = "threads"
	Epoll       = "epoll"
	EpollCtl    = "epoll_ctl"
	EpollReady  = "epoll_ready"
	Poll        = "poll"
	ThreadCalls = "calls"
	Running     = "running"
	Bytes       = "bytes"
	Splice      = "splice"
	Latency     = "latency"
	Unread      = "unread"
	RingSetup   = "ring_setup"
	RingOps     = "ring_ops"
)

// Names of facts: the keys of a listener's fidelity, and what claims may need.
const (
	FactConnect     = "connect"
	FactSYN         = "syn"
	FactHandshake   = "handshake_ns"
	FactEstablished = "established"
	FactListener    = "listener"
	FactWait        = "wait_ns"
	FactAccept      = "accept"
	FactFD          = "fd"
	FactSYNQueue    = "syn_queue"
	FactAcceptQueue = "accept_queue"
	FactBacklog     = "backlog"
	FactAsked       = "backlog_asked"
	FactRetransmit  = "retransmit"
	FactReset       = "reset"
	FactClose       = "close"
	FactSYNDrops    = "syn_drops"
	FactACKDrops    = "ack_drops"
	FactOverflows   = "overflows"
	FactDrops       = "drops"
	FactCookies     = "cookies"
	FactDropReason  = "drop_reason"
	FactAcceptError = "accept_error"
	FactMark        = "mark"
	FactThreads     = "threads"
	FactBlockedOn   = "blocked_on"
	FactEpoll       = "epoll_wait"
	FactRings       = "rings"
	FactEpollCtl    = "epoll_ctl"
	FactEpollReady  = "epoll_ready"
	FactSpurious    = "spurious"
	FactPoll        = "poll"
	FactTurn        = "turn"
	FactLatency     = "latency_ns"
	FactUnread      = "unread"
	FactCalls       = "calls"
)

// Table returns all probes, in the order in which they are tried. The caller may change what it gets.
func Table() []Probe {
	return []Probe{
		stateProbe(), listenProbe(), connectProbe(), synProbe(), lastACKProbe(), synDropProbe(), unreachedProbe(), lineageProbe(), acceptProbe(), ringAcceptProbe(), firstAcceptProbe(),
		retransmitProbe(), resetProbe(), endProbe(), childrenProbe(), groupProbe(), seedProbe(), ownersProbe(), queueProbe(),
		threadsProbe(), runningProbe(), callsProbe(), epollProbe(), epollCtlProbe(), epollReadyProbe(), pollProbe(), markProbe(), bytesProbe(), unreadProbe(), spliceProbe(), latencyProbe(), ringSetupProbe(), ringOpsProbe(),
	}
}

func connectProbe() Probe {
	return Probe{
		Name: "connect", Set: Lifecycle, Yields: []event.Kind{event.Connect, event.Close}, Facts: []string{FactConnect},
		Why: "the local port of a connect, and connects that fail before the first SYN",
		Hooks: []Hook{
			{
				How: Fentry, At: "tcp_v4_connect, tcp_v6_connect", Serves: Full, Needs: Full, Fidelity: model.Exact,
				Progs: []string{"connect4_fexit", "connect6_fexit", "connect4_fentry", "connect6_fentry"},
			},
			{
				How: KprobeMech, At: "tcp_v4_connect, tcp_v6_connect", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"connect4_kretprobe", "connect6_kretprobe", "connect4_kprobe", "connect6_kprobe"},
			},
			{
				How: TPBTF, At: "inet_sock_set_state", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived,
				Note: "no local port in connect events; a connect that fails before its SYN (no route) is not seen",
			},
		},
	}
}

func lineageProbe() Probe {
	return Probe{
		Name: "queued", Set: Lifecycle, Facts: []string{FactListener, FactWait, FactHandshake},
		Why: "whose child a connection is, and when it entered the accept queue",
		Hooks: []Hook{
			{
				How: Fentry, At: "inet_csk_complete_hashdance, inet_csk_reqsk_queue_add", Serves: Full, Needs: Full,
				Fidelity: model.Exact, Progs: []string{"queued_fentry", "queue_add_fentry"},
			},
			{
				How: Fentry, At: "inet_csk_complete_hashdance, inet_csk_reqsk_queue_add", Serves: Full, Needs: Full,
				Fidelity: model.Exact, Progs: []string{"queued_fentry_old", "queue_add_fentry_old"},
				Note: "a connection accepted before it is established (TCP Fast Open) has a number of our own",
			},
			{
				How: KprobeMech, At: "inet_csk_complete_hashdance, inet_csk_reqsk_queue_add", Serves: Kprobe, Needs: Kprobe,
				Fidelity: model.Exact, Progs: []string{"queued_kprobe", "queue_add_kprobe"},
			},
			{
				How: TPBTF, At: "inet_sock_set_state, where a child is still its listener's copy", Serves: Tracepoint, Needs: Tracepoint,
				Fidelity: model.Exact, Switch: "use_lineage",
				Facts: map[string]model.Fidelity{FactWait: model.Derived, FactHandshake: model.Derived},
				Note:  "the wait begins when the child is made, about 1 µs before it is queued; the handshake is the SYN-ACK's round trip, and not known where that was sent again",
			},
			{
				How: TPBTF, At: "inet_sock_set_state", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived,
				Note: "the listener is found by network namespace and port: with SO_REUSEPORT it is unknown",
			},
		},
	}
}

func stateProbe() Probe {
	return Probe{
		Name: State, Set: Lifecycle, Required: true,
		Yields: []event.Kind{event.Connect, event.Established, event.Close, event.Listen, event.Unlisten},
		Facts:  []string{FactEstablished, FactClose, FactAsked},
		Why:    "every change of state of a TCP socket",
		Hooks: []Hook{
			{How: TPBTF, At: "inet_sock_set_state", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"set_state"}},
			{
				How: TPBTF, At: "inet_sock_set_state", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"set_state_old"},
				Facts: map[string]model.Fidelity{FactAsked: model.Unknown},
				Note:  "no cookie helper (before 5.15): connections have numbers of our own; what listen() asked for is unknown",
			},
		},
	}
}

func acceptProbe() Probe {
	entry := "inet_csk_accept, __sys_accept4"
	return Probe{
		Name: Accept, Set: Lifecycle, Required: true, Yields: []event.Kind{event.Accept, event.AcceptError, event.AcceptEmpty},
		Facts: []string{FactAccept, FactFD, FactAcceptQueue, FactAcceptError},
		Why:   "accept returned: which connection, of which listener, to which thread, as which fd; or an error",
		Hooks: []Hook{
			{How: Fentry, At: entry, Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"accept_fexit", "taken_fexit", "accept_fentry"}},
			{How: Fentry, At: entry, Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"accept_fexit", "taken_fexit_old", "accept_fentry"}},
			{
				How: KprobeMech, At: entry, Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"accept_kretprobe", "taken_kretprobe", "taking_kprobe", "accept_kprobe"},
			},
			{
				How: ClassicTP, At: "syscalls/sys_exit_accept, sys_exit_accept4", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"accept_sys_exit", "accept4_sys_exit"}, Facts: map[string]model.Fidelity{FactAcceptQueue: model.Derived},
				Note: "the queue's length is read at the end of the call",
			},
			{
				How: TPBTF, At: "sys_exit", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"any_sys_exit"}, Facts: map[string]model.Fidelity{FactAcceptQueue: model.Derived},
				Note: "as above, where there is no tracefs and before 5.15: it runs at the end of every system call",
			},
			{
				How: ClassicTP, At: "syscalls/sys_exit_accept, sys_exit_accept4", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"accept_sys_exit_old", "accept4_sys_exit_old"}, Facts: unknown(FactAcceptQueue, FactAcceptError),
				Note: "the queue's length at an accept is not seen, nor one that fails",
			},
		},
	}
}

func firstAcceptProbe() Probe {
	return Probe{
		Name: FirstAccept, Set: Lifecycle, Yields: []event.Kind{event.Accept},
		Why: "the first return of threads that were blocked in accept already: hooks at its entry missed them",
		Hooks: []Hook{
			{
				How: ClassicTP, At: "syscalls/sys_exit_accept, sys_exit_accept4", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"first_accept", "first_accept4"}, Note: "detached when each of them has returned once",
			},
			{
				How: ClassicTP, At: "syscalls/sys_exit_accept, sys_exit_accept4", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"first_accept_old", "first_accept4_old"}, Note: "detached when each of them has returned once",
			},
		},
	}
}

func retransmitProbe() Probe {
	return Probe{
		Name: "retransmit", Set: Lifecycle, Yields: []event.Kind{event.Retransmit}, Facts: []string{FactRetransmit},
		Why: "segments and SYN-ACKs that were sent again",
		Hooks: []Hook{{
			How: TPBTF, At: "tcp_retransmit_skb, tcp_retransmit_synack", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
			Progs: []string{"retransmit", "retransmit_synack"},
		}},
	}
}

func resetProbe() Probe {
	return Probe{
		Name: "reset", Set: Lifecycle, Yields: []event.Kind{event.Reset}, Facts: []string{FactReset},
		Why: "RSTs sent and received",
		Hooks: []Hook{{
			How: TPBTF, At: "tcp_send_reset, tcp_receive_reset", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
			Progs: []string{"reset_sent", "reset_received"},
		}},
	}
}

func endProbe() Probe {
	return Probe{
		Name: End, Set: Lifecycle, Required: true,
		Why: "a socket's memory goes: so does what we keep of it in the kernel",
		Hooks: []Hook{{
			How: TPBTF, At: "tcp_destroy_sock", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"destroy_sock"},
		}},
	}
}

func seedProbe() Probe {
	return Probe{
		Name: Seed, Set: Lifecycle, Required: true, Yields: []event.Kind{event.Listen, event.Connect, event.Established},
		Why: "listeners and connections that were there before, in every network namespace",
		Hooks: []Hook{
			{How: Iter, At: "tcp, task_file", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"seed_tcp", "find_spaces"}},
			{How: Iter, At: "tcp, task_file", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"seed_tcp_old", "find_spaces"}},
		},
	}
}

func ownersProbe() Probe {
	return Probe{
		Name: Owners, Set: Lifecycle,
		Why: "which process holds a socket that was there before",
		Hooks: []Hook{{
			How: Iter, At: "task_file", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"seed_owners"},
		}},
	}
}

func queueProbe() Probe {
	return Probe{
		Name: QueueSample, Set: Lifecycle, Yields: []event.Kind{event.Queue}, Facts: []string{FactSYNQueue, FactBacklog},
		Why: "how full both queues of each listener are, once a second: a stuck server gives no other event",
		Hooks: []Hook{
			{How: Iter, At: "bpf_sk_storage_map", Serves: Full, Needs: Tracepoint, Fidelity: model.Sampled, Progs: []string{"sample_listeners"}},
			{How: Iter, At: "tcp", Serves: Full, Needs: Tracepoint, Fidelity: model.Sampled, Progs: []string{"sample_tcp"}},
		},
	}
}

func threadsProbe() Probe {
	at := "sched_switch, sched_waking, sched_wakeup, sched_wakeup_new, sched_process_exec, sched_process_exit; iter task"
	return Probe{
		Name: Threads, Set: Sched, Yields: []event.Kind{event.Thread, event.Offcpu, event.LoopBlocked}, Facts: []string{FactThreads, FactBlockedOn},
		Why: "what the threads of servers do: running, waiting for a CPU, blocked and in which system call",
		Hooks: []Hook{
			{
				How: TPBTF, At: at, Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"sched_exit", "sched_exec", "sched_wakeup_new", "sched_waking", "sched_wakeup", "sched_switch", "seed_threads"},
			},
			{
				How: TPBTF, At: at, Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"sched_exit", "sched_exec", "sched_wakeup_new", "sched_waking", "sched_wakeup", "sched_switch_old", "seed_threads_old"},
				Facts: map[string]model.Fidelity{FactBlockedOn: model.Derived},
				Note:  "no helper for user registers (before 5.15): they are looked for at the top of the kernel stack",
			},
		},
	}
}

func runningProbe() Probe {
	return Probe{
		Name: Running, Set: Samples, Yields: []event.Kind{event.Oncpu},
		Why: "in which code a thread runs that has a request to answer",
		Hooks: []Hook{{
			How: PerfEvent, At: "cpu-clock", Serves: Full, Needs: Tracepoint, Fidelity: model.Sampled, Progs: []string{"sample_stacks"},
			Note: "199 times a second on each CPU: what takes less than 5 ms is hit now and then",
		}},
	}
}

func callsProbe() Probe {
	return Probe{
		Name: ThreadCalls, Set: Calls, Facts: []string{FactCalls},
		Why: "how many system calls the threads of servers make",
		Hooks: []Hook{{
			How: TPBTF, At: "sys_enter", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"count_call"},
			Note: "from 7.0 on the kernel leaves out a call now and then, when the program is running on its CPU already",
		}},
	}
}

func markProbe() Probe {
	return Probe{
		Name: Mark, Set: Marks, Yields: []event.Kind{event.Mark}, Facts: []string{FactMark},
		Why: "application moments that a cooperating server notes",
		Hooks: []Hook{{
			How: Uprobe, At: "demo.markPoint", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact, Progs: []string{"mark"},
		}},
	}
}

const noMPTCP = "connections that speak MPTCP at both ends have no turns, and so no requests"

func bytesProbe() Probe {
	functions := "tcp_recvmsg, tcp_sendmsg, tcp_sendpage, tcp_data_ready, tcp_probe"
	older := "of a connection that was there before, its first call is not counted; the pages of a sendfile before 6.5 are calls of their own" +
		"; " + noMPTCP
	return Probe{
		Name: Bytes, Set: Data, Yields: []event.Kind{event.Turn, event.Read, event.Write, event.Readable}, Facts: []string{FactTurn},
		Why: "bytes that applications read and write, by stream position: when they were ready, read, written, sent, acknowledged",
		Hooks: []Hook{
			{
				How: TPBTF, At: "sock_recv_length, sock_send_length, sk_data_ready, tcp_probe", Serves: Full, Needs: Tracepoint,
				Fidelity: model.Exact, Progs: []string{"bytes_in_tp", "bytes_out_tp", "bytes_ready_tp", "segment_tp"},
				Note: "with two threads on one socket the position, and which call moved how much, are derived; " + noMPTCP,
			},
			{
				How: Fentry, At: functions, Serves: Full, Needs: Full, Fidelity: model.Exact, Note: older,
				Progs: []string{"bytes_in_fexit", "bytes_out_fexit", "bytes_page_fexit", "bytes_ready_fentry", "segment_tp"},
			},
			{
				How: Fentry, At: functions, Serves: Full, Needs: Full, Fidelity: model.Exact,
				Progs: []string{"bytes_in_fexit_old", "bytes_out_fexit_old", "bytes_page_fexit_old", "bytes_ready_fentry", "segment_tp"},
				Note:  older + "; no first bytes (before 5.15), so that protocols are not known",
			},
			{
				How: KprobeMech, At: functions, Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact, Note: older,
				Progs: []string{"recvmsg_kretprobe", "sendmsg_kretprobe", "sendpage_kretprobe", "recvmsg_kprobe", "sendmsg_kprobe",
					"sendpage_kprobe", "data_ready_kprobe", "segment_tp"},
			},
			{
				How: KprobeMech, At: functions, Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact, Note: older + "; no first bytes (before 5.15)",
				Progs: []string{"recvmsg_kretprobe_old", "sendmsg_kretprobe_old", "sendpage_kretprobe_old", "recvmsg_kprobe", "sendmsg_kprobe",
					"sendpage_kprobe", "data_ready_kprobe", "segment_tp"},
			},
		},
	}
}

func spliceProbe() Probe {
	return Probe{
		Name: Splice, Set: Data, Yields: []event.Kind{event.Turn},
		Why: "bytes that leave a socket by splice, as in proxies: in no event of sock_recv_length",
		Hooks: []Hook{
			{How: Fentry, At: "tcp_splice_read", Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"splice_fexit"}},
			{How: Fentry, At: "tcp_splice_read", Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"splice_fexit_old"}},
			{
				How: TPBTF, At: "sock_recv_length", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived,
				Note: "they show at the next other call on the socket, or at its end",
			},
		},
	}
}

func latencyProbe() Probe {
	functions := "tcp_recvmsg, tcp_sendmsg"
	note := "not of sendfile before 6.5, nor of a splice that reads"
	return Probe{
		Name: Latency, Set: Data, Facts: []string{FactLatency},
		Why: "how long a call that moves bytes was in TCP's code: only while single calls are asked for (trace read,write)",
		Hooks: []Hook{
			{How: Fentry, At: functions, Serves: Full, Needs: Full, Fidelity: model.Exact, Note: note, Progs: []string{"recv_begins_fentry", "send_begins_fentry"}},
			{How: KprobeMech, At: functions, Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact, Note: note, Progs: []string{"recv_begins_kprobe", "send_begins_kprobe"}},
		},
	}
}
