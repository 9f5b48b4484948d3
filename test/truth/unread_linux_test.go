// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// leaveArgs say what to do with a connection: a new one, or the one that an earlier answer names.
type leaveArgs struct {
	Conn        *left
	Write, Read int // bytes that the client writes, then the server reads
}

// left is a connection that stays as it is.
type left struct {
	wayDone
	Server, Client int // descriptors
}

// opLeave writes and reads, and leaves the rest unread.
func opLeave(a leaveArgs) (l left, err error) {
	if a.Conn != nil {
		l = *a.Conn
	} else if l.Server, l.Client, err = connected(); err != nil {
		return l, err
	}
	name, err := unix.Getpeername(l.Server)
	if err != nil {
		return l, err
	}
	l.Remote = fromSockaddr(name)
	if l.Cookie, err = unix.GetsockoptUint64(l.Server, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return l, err
	}
	buf := make([]byte, max(a.Write, a.Read))
	if a.Write > 0 {
		if _, err := unix.Write(l.Client, buf[:a.Write]); err != nil {
			return l, err
		}
	}
	if a.Read > 0 {
		_, err = unix.Read(l.Server, buf[:a.Read])
	}
	return l, err
}

// TestUnread: what nobody reads is told, and so is a turn that goes on.
func TestUnread(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	if !w.knowsTurns() {
		t.Skip("nothing tells of bytes here")
	}
	if w.hookOf(probes.Unread) == nil {
		t.Error("the probe of unread bytes has no hook")
	}
	conn := do[left](p.server, "leave", leaveArgs{Write: 500, Read: 200})
	for _, c := range []struct {
		what      string
		then      *leaveArgs
		unread, n uint64
	}{
		{"some are left", nil, 300, 500},
		{"more come", &leaveArgs{Write: 50}, 350, 550},
		{"all are read", &leaveArgs{Read: 1000}, 0, 550},
	} {
		if c.then != nil {
			c.then.Conn = &conn
			do[left](p.server, "leave", *c.then)
		}
		var got model.Connection
		if !testkit.Until(settleTime, func() bool {
			got = w.connection(&conn.wayDone)
			return got.Unread.Known && got.Unread.V == c.unread && got.BytesIn.V == c.n
		}) && !w.leavesOut() {
			t.Errorf("%s: unread %v, %v came; want %d of %d", c.what, got.Unread, got.BytesIn, c.unread, c.n)
		}
	}
	w.lossless()
}

// connection returns what the model has of a socket.
func (w *watch) connection(d *wayDone) (none model.Connection) {
	for _, c := range w.snapshot().Connections {
		if c.Conn == d.Cookie || c.Conn >= ownNumbers && c.Remote == d.Remote.String() {
			return c
		}
	}
	return none
}

// hookOf returns the hook that a probe uses, nil for none.
func (w *watch) hookOf(name string) *probes.Hook {
	for _, p := range w.session.Info().Probes {
		if p.Probe.Name == name {
			return p.Hook
		}
	}
	return nil
}
