// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
)

// TestHandshakeAgain: the first SYN-ACK does not reach its client. What the server's handshake took is the time since its SYN, or
// is not known: it is not the round trip of the last SYN-ACK.
func TestHandshakeAgain(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	served, dialed := p.exchange(
		serveArgs{Listener: l, N: 1, Talk: talk{End: endDrain}},
		dialArgs{Addr: l.Local, N: 1, How: deafAtFirst})
	took := dialed[0].Returned - dialed[0].Called
	if took < int64(deafTime) {
		t.Fatalf("the handshake took %d ns: the client has heard the first SYN-ACK", took)
	}
	client, server := w.establishedOf(dialed[0]), w.establishedOf(served[0])
	client.between(event.FieldHandshakeNS, client.e.HandshakeNS, int64(deafTime), took)
	if w.knows(knowsSYN) {
		server.between(event.FieldHandshakeNS, server.e.HandshakeNS, int64(deafTime), took+int64(softirqDelay()))
	} else {
		server.absent(event.FieldHandshakeNS)
	}
	w.report(client)
	w.report(server)
}

// establishedOf waits for the event of a socket.
func (w *watch) establishedOf(s socket) *checker {
	w.t.Helper()
	e := w.until("that it is established", func(e *event.Event) bool {
		return e.Kind == event.Established && e.Local == s.Local && e.Remote == s.Remote && e.NetNS == w.ns
	})
	return &checker{e: &e}
}
