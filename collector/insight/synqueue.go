// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"

	"beltrace/collector/model"
)

// synQueueFull: requests whose handshake is not complete fill the SYN queue, and further SYNs are dropped.
var synQueueFull = rule{
	id: "syn-queue-full",
	mechanism: "A SYN makes a request in the SYN queue (inet_csk_reqsk_queue_hash_add) until the final ACK comes, or until the SYN-ACK was sent again too often (reqsk_timer_handler). " +
		"A backlog of N holds N+1 (inet_csk_reqsk_queue_is_full). Beyond it tcp_conn_request drops SYNs if tcp_syncookies is 0, and before that when a quarter or less of tcp_max_syn_backlog is left.",
	listener: func(l *listener) *evidence {
		before := l.ago(span)
		recent := grown(l.now.synFull, before.synFull)
		answered := l.now.cookies > before.cookies
		full := l.State != model.StateClosed && l.SYNQueue.Known && l.Backlog.Known && l.SYNQueue.V > l.Backlog.V
		if recent == 0 && (!full || answered) { // with cookies nobody is refused: syn-cookies says so
			return nil
		}
		e := &evidence{severity: model.Warning, numbers: map[string]float64{}, weight: float64(recent), remedy: synRemedy}
		if l.Overflows.Known || l.now.synFull > 0 { // else how many is not known
			e.numbers["dropped"], e.numbers["dropped_10s"] = float64(l.now.synFull), float64(recent)
		}
		var s sentence
		now := ": "
		switch limited := l.SYNDrops[synLimit]; {
		case limited > 0 && !full:
			s.add("", "a quarter or less of tcp_max_syn_backlog%s is left", ofSetting(l.space, func(n *model.Namespace) model.Opt[uint64] { return n.MaxSYNBacklog }))
		case !full && l.SYNQueue.Known && l.Backlog.Known:
			s.add("", "SYN queue was full")
			now = "; now "
		default:
			s.add("", "SYN queue full")
		}
		if l.SYNQueue.Known && l.Backlog.Known {
			s.add(now, "%s not complete, the backlog is %d", are(uint64(l.SYNQueue.V), "handshake"), l.Backlog.V)
			e.numbers["syn_queue"], e.numbers["backlog"] = float64(l.SYNQueue.V), float64(l.Backlog.V)
		}
		if l.SYNYoung.Known && l.SYNYoung.V < l.SYNQueue.V {
			s.add(", ", "of %d the SYN-ACK was sent again in vain", l.SYNQueue.V-l.SYNYoung.V)
		}
		l.saySYNs(&s, e, recent, grown(l.now.unknown, before.unknown))
		e.text = s.String()
		return e
	},
	tells: tellsDrops,
	space: func(n *space) *evidence {
		recent := grown(n.now.synFull, n.ago(window).synFull)
		if recent == 0 {
			return nil
		}
		return &evidence{severity: model.Critical, weight: float64(recent), remedy: synRemedy, numbers: map[string]float64{"dropped": float64(n.now.synFull), "dropped_5s": float64(recent)},
			text: fmt.Sprintf("a SYN queue was full: %s; %s", lately(n.now.synFull, recent, "SYN", "dropped", "5 s"), n.untold())}
	},
}

// saySYNs adds what came of the SYNs that found the SYN queue full: recent ones were dropped for that, and others for a
// reason that is not known.
func (l *listener) saySYNs(s *sentence, e *evidence, recent, others uint64) {
	cookies, unplaced := l.space.setting(cookieSetting), l.unplacedSYNs()
	switch {
	case recent > 0:
		e.severity = model.Critical
		s.add("; ", "%s", lately(l.now.synFull, recent, "SYN", "dropped", "10 s"))
		if l.now.synDerived > 0 {
			s.add(" ", "(the reason of %d follows from the counters of the network namespace)", l.now.synDerived)
		}
	case cookies.V > 0 && !l.isFull(): // a full accept queue has SYNs dropped all the same
		e.severity, e.remedy = model.Note, cookieRemedy
		s.add("; ", "nobody is refused for that: SYNs that find it full are answered with cookies (tcp_syncookies is %d)", cookies.V)
	case others > 0:
		e.severity, e.numbers["unexplained_10s"] = model.Critical, float64(others)
		s.add("; ", "%d refused in the last 10 s, and this kernel does not say why", others)
	case unplaced > 0:
		e.severity, e.numbers["namespace_dropped_10s"] = model.Critical, float64(unplaced)
		s.add("; ", "its network namespace counts %s dropped for that in the last 10 s, and %s", count(unplaced, "SYN"), l.space.untold())
	}
}

// unplacedSYNs is how many SYNs a full SYN queue cost the namespace lately, where nothing is known of the listener's own.
func (l *listener) unplacedSYNs() uint64 {
	if l.space == nil || l.countsOwn() {
		return 0
	}
	return grown(l.space.now.synFull, l.space.ago(span).synFull)
}

const synRemedy = "Set net.ipv4.tcp_syncookies to 1, the default: a full SYN queue then refuses nobody. If the clients are real and slow or far away, raise the backlog of listen(), net.core.somaxconn and net.ipv4.tcp_max_syn_backlog; if they are not, filter them before they reach the host."

const cookieRemedy = "Find out who sends the SYNs (ss -n state syn-recv). Real clients that are slow or many need a larger backlog and tcp_max_syn_backlog; a flood is better filtered before it reaches the host."

func cookieSetting(n *model.Namespace) model.Opt[uint64] { return n.SYNCookies }

// ofSetting writes a setting of the namespace after its name; nothing where it is not known.
func ofSetting(n *space, of func(*model.Namespace) model.Opt[uint64]) string {
	if v := n.setting(of); v.Known {
		return fmt.Sprintf(" (%d)", v.V)
	}
	return ""
}

// synCookies: SYNs are answered with cookies instead of requests.
var synCookies = rule{
	id: "syn-cookies",
	mechanism: "With a full SYN queue and tcp_syncookies 1, or always with 2, the kernel keeps nothing of a SYN: it puts a hash into the sequence number of the SYN-ACK (cookie_v4_init_sequence), and makes the connection when an ACK brings it back (cookie_v4_check). " +
		"Nobody is refused, but window scaling, SACK and ECN survive only where the client sends timestamps.",
	listener: func(l *listener) *evidence {
		recent := grown(l.now.cookies, l.ago(span).cookies)
		if recent == 0 {
			return nil
		}
		e := cookies(l.space, l.now.cookies, recent, "10 s")
		if l.CookiesOK.Known {
			e.text += "; " + becameConnections(l.CookiesOK.V)
			e.numbers["accepted"] = float64(l.CookiesOK.V)
		}
		if l.SYNQueue.Known && l.Backlog.Known {
			e.text += fmt.Sprintf(". %s not complete, the backlog is %d", are(uint64(l.SYNQueue.V), "handshake"), l.Backlog.V)
		}
		return e
	},
	tells: func(l *model.Listener) bool { return l.CookiesSent.Known },
	space: func(n *space) *evidence {
		recent := grown(n.now.cookies, n.ago(window).cookies)
		if recent == 0 {
			return nil
		}
		e := cookies(n, n.now.cookies, recent, "5 s")
		if n.SyncookiesRecv.Known {
			e.text += fmt.Sprintf("; ACKs came back with one %s, refused ones and repeats among them", timesIn(n.SyncookiesRecv.V))
			e.numbers["acks"] = float64(n.SyncookiesRecv.V)
		}
		e.text += "; " + n.untold()
		return e
	},
}

func becameConnections(n uint64) string {
	if n == 1 {
		return "1 came back as a connection"
	}
	return fmt.Sprintf("%d came back as connections", n)
}

// fewCookies is how many cookies in the last seconds are no cause for alarm.
const fewCookies = 10

func cookies(n *space, all, recent uint64, in string) *evidence {
	e := &evidence{severity: model.Warning, weight: float64(recent), numbers: map[string]float64{"sent": float64(all), "sent_recently": float64(recent)},
		remedy: cookieRemedy}
	why := "the SYN queue was full"
	if recent < fewCookies {
		e.severity = model.Note
	}
	if n.setting(cookieSetting) == model.Some[uint64](2) {
		why = "tcp_syncookies is 2, always"
		e.severity, e.remedy = model.Note, "Set net.ipv4.tcp_syncookies to 1, the default, unless this is a test: cookies only when the SYN queue is full."
	}
	e.text = fmt.Sprintf("%s: %s", why, lately(all, recent, "SYN cookie", "sent", in))
	return e
}
