// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// unknown says of facts that a hook does not tell them.
func unknown(facts ...string) map[string]model.Fidelity {
	m := map[string]model.Fidelity{}
	for _, f := range facts {
		m[f] = model.Unknown
	}
	return m
}

// lastACKProbe comes before synDropProbe: how many SYNs were refused can be worked out when the refused ACKs are known.
func lastACKProbe() Probe {
	at := "tcp_v4_syn_recv_sock, tcp_v6_syn_recv_sock, tcp_get_cookie_sock"
	return Probe{
		Name: LastACK, Set: Lifecycle, Yields: []event.Kind{event.SYNDrop}, Facts: []string{FactACKDrops},
		Why: "final ACKs of handshakes that a listener refuses, and connections made from a SYN cookie",
		Hooks: []Hook{
			{How: Fentry, At: at, Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"ack4_fexit", "ack6_fexit", "cookie_fexit"}},
			{How: Fentry, At: at, Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"ack4_fexit_old", "ack6_fexit_old", "cookie_fexit_old"}},
			{
				How: KprobeMech, At: at, Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"ack4_kretprobe", "ack6_kretprobe", "cookie_kretprobe", "ack4_kprobe", "ack6_kprobe", "cookie_kprobe"},
			},
			{
				How: TPBTF, At: "kfree_skb with TCP_LISTEN_OVERFLOW", Reason: "TCP_LISTEN_OVERFLOW", Serves: Tracepoint, Needs: Tracepoint,
				Fidelity: model.Exact, Progs: []string{"ack_freed"},
				Note: "connections made from a SYN cookie are not told from others",
			},
		},
	}
}

func synProbe() Probe {
	return Probe{
		Name: "syn", Set: Lifecycle, Yields: []event.Kind{event.SYN}, Facts: []string{FactSYN},
		Why: "when a SYN reached a listener: the start of the server's handshake",
		Hooks: []Hook{
			{How: Fentry, At: "inet_csk_reqsk_queue_hash_add", Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"request_fentry"}},
			{How: KprobeMech, At: "inet_csk_reqsk_queue_hash_add", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact, Progs: []string{"request_kprobe"}},
		},
	}
}

func synDropProbe() Probe {
	at := "tcp_conn_request, cookie_v4_init_sequence, cookie_v6_init_sequence"
	return Probe{
		Name: SYNDrop, Set: Lifecycle, Yields: []event.Kind{event.SYNDrop, event.Queue},
		Facts: []string{FactSYNDrops, FactOverflows, FactDrops, FactCookies},
		Why:   "SYNs that a listener refuses, with the reason, and those that it answers with a cookie",
		Hooks: []Hook{
			{
				How: Fentry, At: at, Serves: Full, Needs: Full, Fidelity: model.Exact,
				Progs: []string{"cookie4_fentry", "cookie6_fentry", "syn_fexit", "syn_fentry"},
			},
			{
				How: KprobeMech, At: at, Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"cookie4_kprobe", "cookie6_kprobe", "syn_kretprobe", "syn_kprobe"},
			},
			{
				How: Iter, At: "sk_drops, less the refused ACKs, at most ListenDrops", After: LastACK, Serves: Tracepoint, Needs: Tracepoint,
				Fidelity: model.Derived, Facts: unknown(FactOverflows, FactCookies),
				Note: "refused SYNs are told once a second, by their number, without a reason. sk_drops also counts what comes for a request that " +
					"waits in the SYN queue already (its SYN again, or a RST): of it no more is told than the network namespace has refused, " +
					"and where several listeners may have, it is told of the namespace",
			},
			{
				How: Proc, At: "net/netstat ListenDrops", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Unknown,
				Note: "refused SYNs and ACKs are told once a second, by their number in the network namespace, when a watched listener refused any",
			},
		},
	}
}

func unreachedProbe() Probe {
	return Probe{
		Name: Unreached, Set: Lifecycle, Yields: []event.Kind{event.SYNDrop}, Facts: []string{FactDropReason},
		Why: "SYNs that are dropped before they reach a listener: by netfilter, by routing, for want of memory; with the kernel's reason",
		Hooks: []Hook{{
			How: TPBTF, At: "kfree_skb", Reason: "NETFILTER_DROP", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
			Progs: []string{"syn_freed"}, Note: "drops to which the kernel gives no reason, or one of a module's own",
		}},
	}
}
