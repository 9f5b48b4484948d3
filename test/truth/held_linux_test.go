// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// TestHeldBytes: a client's second small write waits for the acknowledgement of the first, and a server's large one
// until the client reads. Of others neither is said.
func TestHeldBytes(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	l := do[socket](p.server, "listen", listenArgs{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Backlog: 8})

	var nagled times
	var client, server socket
	for range 4 {
		var held Least
		client, server, held = w.heldWrite(p, l)
		ns := w.holds(client, func(c *model.Connection) model.Opt[int64] { return c.NagleNS })
		nagled = append(nagled, sample{"a second small write was held", time.Duration(ns), held.span()})
	}

	const large, late = 8 << 20, 300 * time.Millisecond
	serving := begin[[]socket](p.server, "serve", serveArgs{Listener: l, N: 1, Talk: talk{Read: 1, Write: large, End: endKeep}})
	lazy := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{Write: 1, End: endKeep}})
	time.Sleep(late)
	do[[]socket](p.client, "finish", finishArgs{Sockets: lazy, Talk: talk{Read: large, End: endKeep}})
	read := testkit.Mono() // what the server's call left in the socket was held on
	blocked := serving.result()[0]
	window := w.holds(blocked, func(c *model.Connection) model.Opt[int64] { return c.WindowNS })
	took := read - blocked.Wrote

	if !w.knowsTurns() {
		return // holds has asserted that nothing is said
	}
	nagled.judge(t)
	if window < int64(late/2) || window > took+int64(time.Millisecond) {
		t.Errorf("a large write was held for %v of %v, the client read after %v", time.Duration(window), time.Duration(took), late)
	}
	for _, c := range w.snapshot().Connections {
		if isOf(&c, server) && (c.NagleNS.Known || c.WindowNS.Known) {
			t.Errorf("one that wrote one byte was held: %+v", c)
		}
		if isOf(&c, blocked) && c.NagleNS.V > took/10 || isOf(&c, client) && c.WindowNS.Known {
			t.Errorf("held for another reason: %+v", c)
		}
	}
}

// heldWrite returns the ends of a connection and how long the client's second byte was held there. Where the kernel of a slow
// guest acknowledges the first one at once it takes another connection.
func (w *watch) heldWrite(p *pair, l socket) (client, server socket, held Least) {
	w.t.Helper()
	small := talk{Write: 1, Read: 1, End: endKeep} // the server answers: from now on it delays its acknowledgements
	for range 10 {
		served := begin[[]socket](p.server, "serve", serveArgs{Listener: l, N: 1, Talk: small})
		client = do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: small})[0]
		server = served.result()[0]
		held = do[Least](p.client, "hold", client)
		if held.Least > int64(10*time.Millisecond) {
			return client, server, held
		}
	}
	w.t.Fatal("no byte was held for 10 ms")
	return
}

// opHold writes twice and returns for how long the kernel said that some bytes were not sent.
func opHold(s socket) (held Least, err error) {
	if err := s.write(1); err != nil {
		return held, err
	}
	called := testkit.Mono()
	if err := s.write(1); err != nil {
		return held, err
	}
	for {
		looks := testkit.Mono()
		info, err := unix.GetsockoptTCPInfo(s.FD, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return held, fmt.Errorf("TCP_INFO: %w", err)
		}
		if info.Notsent_bytes == 0 {
			held.Most = testkit.Mono() - called
			return held, nil
		}
		held.Least = looks - s.Written
		time.Sleep(time.Millisecond)
	}
}

// holds waits until it is told how long a socket's bytes were held.
func (w *watch) holds(s socket, of func(*model.Connection) model.Opt[int64]) (ns int64) {
	w.t.Helper()
	find := func() bool {
		for _, c := range w.snapshot().Connections {
			if v := of(&c); isOf(&c, s) && v.Known {
				ns = v.V
				return true
			}
		}
		return false
	}
	switch {
	case w.knowsTurns():
		if !testkit.Until(settleTime, find) && !w.leavesOut() {
			w.t.Errorf("nothing is told of %v", s.Local)
		}
	case find():
		w.t.Errorf("bytes of %v are held, although nothing tells of bytes", s.Local)
	}
	return ns
}

// isOf reports whether a connection is that socket, by its addresses: not every kernel tells cookies.
func isOf(c *model.Connection, s socket) bool {
	return c.Local == s.Local.String() && (c.Role == event.RoleClient || c.Remote == s.Remote.String())
}
