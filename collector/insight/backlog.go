// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"

	"beltrace/collector/model"
)

// backlogCapped: listen() got less than it asked for, and the queue came near that limit.
var backlogCapped = rule{
	id:        "backlog-capped",
	mechanism: "listen() asks for a backlog, and the kernel silently caps it at net.core.somaxconn of the network namespace (__sys_listen). The result limits both the accept queue and the SYN queue (sk_max_ack_backlog).",
	listener: func(l *listener) *evidence {
		if l.State == model.StateClosed || !l.Backlog.Known || !l.BacklogAsked.Known || uint32(l.BacklogAsked.V) <= l.Backlog.V {
			return nil
		}
		if l.now.full == 0 && l.now.synFull == 0 && uint64(l.peak)*2 < uint64(l.Backlog.V) {
			return nil // it does not matter
		}
		e := &evidence{severity: model.Note, weight: float64(l.peak),
			numbers: map[string]float64{"asked": float64(l.BacklogAsked.V), "backlog": float64(l.Backlog.V), "peak": float64(l.peak)}}
		e.text = fmt.Sprintf("listen asked for a backlog of %d, net.core.somaxconn allows %d; up to %d connections waited", l.BacklogAsked.V, l.Backlog.V, l.peak)
		if l.now.full > 0 {
			e.severity = model.Warning
			e.text += fmt.Sprintf(", %d were refused", l.now.full)
		}
		now := l.space.setting(func(n *model.Namespace) model.Opt[uint64] { return n.SomaxConn })
		raised := now.Known && now.V > uint64(l.Backlog.V)
		if raised {
			e.text += fmt.Sprintf(". somaxconn has been raised to %d since, and this listener does not have it yet", now.V)
		}
		e.remedy = "Restart the service: the limit is read by listen()."
		switch asked := l.BacklogAsked.V; {
		case raised && (asked < 0 || now.V >= uint64(asked)):
		case asked < 0: // as much as there may be
			e.remedy = "Raise net.core.somaxconn. " + e.remedy
		default:
			e.remedy = fmt.Sprintf("sysctl net.core.somaxconn=%d. ", asked) + e.remedy
		}
		return e
	},
}

// listenerClosedWaiting: a listener closed while connections waited in its queue.
var listenerClosedWaiting = rule{
	id: "listener-closed-waiting",
	mechanism: "When a listener closes, the kernel resets every connection that still waits in its accept queue (inet_csk_listen_stop, inet_child_forget): the client was connected, may have sent its request, and gets a RST. " +
		"With SO_REUSEPORT the queues of the other listeners stay, but nobody inherits this one (unless net.ipv4.tcp_migrate_req is 1).",
	listener: func(l *listener) *evidence {
		recent := grown(l.now.reset, l.ago(span).reset)
		if recent == 0 {
			return nil
		}
		return &evidence{severity: model.Warning, weight: float64(recent), numbers: map[string]float64{"reset": float64(l.now.reset)},
			text: fmt.Sprintf("%s reset because the listener closed before anybody accepted: those clients saw a connection that worked, then a RST", were(l.now.reset)),
			remedy: "On a restart hand the listening socket over (socket activation, or pass the descriptor), or stop new connections first, accept until EAGAIN, and then close. " +
				"With SO_REUSEPORT set net.ipv4.tcp_migrate_req to 1 (5.14 and later)."}
	},
}

func were(n uint64) string {
	if n == 1 {
		return "1 connection was"
	}
	return count(n, "connection") + " were"
}
