// SPDX-License-Identifier: Apache-2.0

package viewtest

import "beltrace/collector/model"

// findings are what the rules say of the listeners of Busy, and of one that is closed.
func findings() []model.Finding {
	const overflow = "The kernel finishes handshakes by itself and puts each connection into the accept queue, until accept() takes it (inet_csk_accept). A backlog of N holds N+1 (sk_acceptq_is_full). " +
		"Beyond it tcp_conn_request drops new SYNs and tcp_v4_syn_recv_sock drops final ACKs, without a word to the client: it sends again after about a second, then after two, four …"
	const who = "tid 4711 (the busiest of 2 acceptors) accepts, then sleeps in clock_nanosleep: 47 ms between two accepts (94 % of its time)"
	const faster = "Take the clock_nanosleep out of the accept loop. A larger backlog only makes clients wait longer when connections come faster than they are accepted; it helps against bursts."
	api := func(f model.Finding) model.Finding {
		f.Subject, f.Listener, f.PID = "api :9000", model.Some[uint64](0x102), model.Some[uint32](4711)
		return f
	}
	return []model.Finding{
		api(model.Finding{ID: "accept-queue-full", Severity: model.Critical, Since: Now - 17*sec, Mechanism: overflow, Remedy: faster,
			Text:    "accept queue full: 129 wait, the backlog is 128; 212 refused, 41 of them in the last 10 s. " + who + ". 3 refused at the final ACK in the last 10 s: such a client believes that it is connected",
			Numbers: map[string]float64{"accept_queue": 129, "backlog": 128, "refused": 212, "refused_10s": 41, "final_acks_10s": 3, "arrivals_per_s": 41, "accepts_per_s": 20}}),
		api(model.Finding{ID: "slow-acceptor", Severity: model.Warning, Since: Now - 41*sec, Mechanism: overflow, Remedy: faster,
			Text:    "connections wait in the accept queue: p50 ≈1.2 s, p99 ≈1.9 s; 129 connections wait now; 41/s arrive, 20/s are accepted. " + who,
			Numbers: map[string]float64{"wait_p50_ns": 1.2e9, "wait_p99_ns": 1.9e9, "between_ns": 47e6, "between_share": 0.944}}),
		{ID: "nobody-accepts", Severity: model.Critical, Subject: "サーバー数据库 127.0.0.1:6379", Since: Now - 12*sec, Listener: model.Some[uint64](0x104), Mechanism: overflow, Remedy: "Accept.",
			Text: "17 connections wait: the oldest for 12 s, and nobody has ever accepted", Numbers: map[string]float64{"waiting": 17}},
		{ID: "syn-cookies", Severity: model.Note, Subject: "network namespace 4026531840", Since: Now - 5*sec, Mechanism: overflow, Remedy: "Set net.ipv4.tcp_syncookies to 1.",
			Text: "tcp_syncookies is 2, always: 81 SYN cookies sent in the last 5 s"},
		{ID: "listener-closed-waiting", Severity: model.Warning, Subject: "a\x1b[31mred\x07 127.0.0.1:31337", Since: Now - 60*sec, Until: model.Some[int64](Now - 50*sec), Listener: model.Some[uint64](0x105),
			Mechanism: overflow, Remedy: "Hand the socket over.", Text: "3 connections were reset because the listener closed before anybody accepted", Numbers: map[string]float64{"reset": 3}},
	}
}

func namespaces() []model.Namespace {
	return []model.Namespace{{NetNS: 4026531840, ListenOverflows: model.Some[uint64](212), ListenDrops: model.Some[uint64](214), ReqQFullDrop: model.Some[uint64](0), SyncookiesSent: model.Some[uint64](81),
		SyncookiesRecv: model.Some[uint64](80), SyncookiesFailed: model.Some[uint64](0), SomaxConn: model.Some[uint64](128), MaxSYNBacklog: model.Some[uint64](256), SYNCookies: model.Some[uint64](2),
		AbortOnOverflow: model.Some[uint64](0), Unplaced: map[string]uint64{"other": 11, "unknown": 3}, UnplacedReasons: map[string]uint64{"IP_RPFILTER": 4, "NETFILTER_DROP": 7}}}
}
