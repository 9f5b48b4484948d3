// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"

	"beltrace/collector/model"
)

// held is what kept the bytes of one side from being sent in the last seconds.
type held struct {
	model.Held        // of the last seconds
	client     bool   // the client wrote
	writer     string // in words
	reader     string
}

// held returns that for the server's bytes and for its clients'.
func (l *listener) held() []held {
	now, then := l.now.work, l.ago(span).work
	out := []held{{Held: heldSince(now.Server, then.Server)}, {Held: heldSince(now.Client, then.Client), client: true}}
	for i := range out {
		h := &out[i]
		h.writer, h.reader = "the server", "the client "+h.LastTo
		if h.client {
			h.writer, h.reader = "the client "+h.LastFrom, "the server"
		}
	}
	return out
}

func heldSince(now, then model.Held) model.Held {
	now.NagleNS, now.WindowNS = now.NagleNS-min(now.NagleNS, then.NagleNS), now.WindowNS-min(now.WindowNS, then.WindowNS)
	now.Nagled, now.Window = grown(now.Nagled, then.Nagled), grown(now.Window, then.Window)
	return now
}

const (
	slowReading = 500e6 // ns in the last seconds in which a receiver's window was full
	nagledEach  = 20e6  // ns that a write waits
	nagledTurns = 3
)

// slowReader: one side writes faster than the other one reads.
var slowReader = rule{
	id: "slow-reader",
	mechanism: "Bytes that arrive wait in the receive buffer until the application reads them. As it fills, the receiver announces a smaller window, at last zero (__tcp_select_window); the sender may then send nothing (tcp_snd_wnd_test) and probes from time to time (tcp_probe_timer). " +
		"Its own send buffer fills, and its next write blocks, or fails with EAGAIN: a slow reader holds up whoever writes to it.",
	listener: func(l *listener) *evidence {
		var e *evidence
		for _, h := range l.held() {
			if !l.reaches(float64(h.WindowNS), slowReading) || e != nil && e.weight >= float64(h.WindowNS) {
				continue
			}
			e = &evidence{severity: model.Warning, weight: float64(h.WindowNS), numbers: map[string]float64{"window_ns": float64(h.WindowNS)},
				remedy: "Make the reader read: in a loop that does nothing else, and not only when it needs the next bytes. Who writes should bound what it keeps for one reader, give its writes a deadline, and not hold a lock or a thread meanwhile. " +
					"A larger receive buffer (net.ipv4.tcp_rmem, SO_RCVBUF) helps against bursts only."}
			var s sentence
			s.add("", "%s reads more slowly than %s writes: for %s in the last 10 s its receive window was full, and written bytes could not be sent", h.reader, h.writer, dur(h.WindowNS))
			if h.LastComm != "" {
				s.add(". ", "The reader is %s%s", h.LastComm, pidOf(h.LastPID))
			}
			e.text = s.String()
			if h.client {
				e.numbers["by_server"] = 1
			}
		}
		return e
	},
}

func pidOf(pid opt32) string {
	if !pid.Known {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid.V)
}

// nagleDelayedACK: a small write waits until the one before it is acknowledged, and the receiver waits before it does.
var nagleDelayedACK = rule{
	id: "nagle-delayed-ack",
	mechanism: "Nagle's algorithm keeps a segment that is not full back as long as an earlier one is not acknowledged (tcp_nagle_test). The receiver delays its acknowledgement by 40 ms or more, in the hope of sending it with an answer (tcp_send_delayed_ack). " +
		"Who writes a message in two small calls makes each wait for the other.",
	listener: func(l *listener) *evidence {
		var e *evidence
		for _, h := range l.held() {
			if !l.reaches(float64(h.Nagled), nagledTurns) || !l.reaches(float64(h.NagleNS), nagledEach*float64(h.Nagled)) || e != nil && e.weight >= float64(h.NagleNS) {
				continue
			}
			each, what := h.NagleNS/int64(h.Nagled), "answer"
			if h.client {
				what = "request"
			}
			e = &evidence{severity: model.Warning, weight: float64(h.NagleNS), numbers: map[string]float64{"nagled_10s": float64(h.Nagled), "nagle_ns": float64(each)},
				text:   fmt.Sprintf("%s writes its %ss in several small calls, and the last bytes wait for the acknowledgement of the first: %s each, %s in the last 10 s", h.writer, what, dur(each), timesIn(h.Nagled)),
				remedy: "Write a message in one call: collect it in a buffer first, or use writev, or MSG_MORE for all parts but the last. Or set TCP_NODELAY, which switches Nagle's algorithm off (Go, node and nginx do so by default)."}
		}
		return e
	},
}

// retransmitsAtLeast is how many segments must be sent again in the last seconds.
const retransmitsAtLeast = 5

// retransmits: segments are sent again.
var retransmits = rule{
	id: "retransmits",
	mechanism: "A segment that is not acknowledged is sent again (tcp_retransmit_skb): when three later ones are acknowledged, or when a timer runs out, 200 ms at the least and twice that each further time. Each time the sender also slows down (tcp_enter_recovery, tcp_enter_loss). " +
		"Either it was lost on the way, or its acknowledgement was late.",
	listener: func(l *listener) *evidence {
		now, then := l.now.work, l.ago(span).work
		n, turns := grown(now.Retransmits, then.Retransmits), grown(now.Out.Turns, then.Out.Turns)
		if !l.reaches(float64(n), retransmitsAtLeast) {
			return nil
		}
		e := resent(now.Retransmits, n, "to clients")
		if turns > 0 {
			e.text += fmt.Sprintf("; meanwhile there were %s", count(turns, "answer"))
			e.numbers["answers_10s"] = float64(turns)
			if n*20 < turns {
				e.severity = model.Note
			}
		}
		return e
	},
	apart: true,
	space: func(n *space) *evidence {
		recent := grown(n.now.resent, n.ago(span).resent)
		if !n.reaches(float64(recent), retransmitsAtLeast) {
			return nil
		}
		e := resent(n.now.resent, recent, "by clients on this host")
		e.pid = n.Resent.PID
		var s sentence
		s.add("", "%s", e.text)
		switch r := n.Resent; {
		case r.Comm != "" && r.Remote != "":
			s.add("; ", "the last by %s%s to %s", r.Comm, pidOf(r.PID), r.Remote)
		case r.Remote != "":
			s.add("; ", "the last to %s", r.Remote)
		}
		if refused := grown(n.now.refused, n.ago(span).refused); refused > 0 { // that has a finding of its own
			e.severity = model.Note
			e.numbers["refused_10s"] = float64(refused)
			s.add(". ", "Listeners in the same namespace refused %s meanwhile: a client whose final ACK was refused believes that it is connected, and sends again until it is", timesIn(refused))
		}
		e.text = s.String()
		return e
	},
}

// resent is the evidence of so many segments, all of them and in the last seconds.
func resent(all, recent uint64, whose string) *evidence {
	return &evidence{severity: model.Warning, weight: float64(recent), numbers: map[string]float64{"retransmits": float64(all), "retransmits_10s": float64(recent)},
		text:   lately(all, recent, "segment", "sent again "+whose, "10 s"),
		remedy: "Look for where they are lost: a link that is full or bad (ip -s link), a queue that drops (tc -s qdisc), a host that is too busy to receive (nstat: TcpExtTCPBacklogDrop, TcpExtListenDrops). The page Connections shows whose they are."}
}

const (
	tinyCalls = 200 // in the last seconds
	tinyEach  = 64  // bytes
	tinyTurn  = 8   // calls in one message
)

// tinyIO: messages are read or written in many small calls.
var tinyIO = rule{
	id: "tiny-io",
	mechanism: "Each read and write is a system call: it enters the kernel, locks the socket (tcp_recvmsg, tcp_sendmsg) and copies, which costs about the same for one byte as for a thousand. " +
		"Small writes without TCP_CORK or MSG_MORE may also become as many segments, each with its own way through the network stack and its own wake-up at the other end.",
	listener: func(l *listener) *evidence {
		now, then := l.now.work, l.ago(span).work
		for _, d := range []struct {
			verb, message string
			now, then     model.Traffic
		}{{"writes", "answer", now.Out, then.Out}, {"reads", "request", now.In, then.In}} {
			calls, bytes, turns := grown(d.now.Calls, d.then.Calls), grown(d.now.Bytes, d.then.Bytes), grown(d.now.Turns, d.then.Turns)
			if !l.reaches(float64(calls), tinyCalls) || !l.within(float64(bytes), float64(calls)*tinyEach) || !l.reaches(float64(calls), float64(turns)*tinyTurn) {
				continue
			}
			turns = max(turns, 1)
			return &evidence{severity: model.Warning, weight: float64(calls),
				text:    fmt.Sprintf("%s in tiny calls: %d of %s bytes each in the last 10 s, %s for one %s", d.verb, calls, digits(float64(bytes)/float64(calls)), digits(float64(calls)/float64(turns)), d.message),
				remedy:  "Put a buffer between the application and the socket (bufio, BufferedReader, a FILE*) and flush it once for each message: then one call moves it all.",
				numbers: map[string]float64{"calls_10s": float64(calls), "bytes_10s": float64(bytes), "turns_10s": float64(turns)}}
		}
		return nil
	},
}
