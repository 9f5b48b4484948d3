// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
)

type emptyArgs struct {
	Listener socket
	N        int
}

// opAcceptNobody calls accept n times at a listener where nobody waits.
func opAcceptNobody(a emptyArgs) (out starved, err error) {
	out.PID, out.TID = uint32(os.Getpid()), uint32(unix.Gettid())
	if err := unix.SetNonblock(a.Listener.FD, true); err != nil {
		return out, err
	}
	for range a.N {
		if _, _, err := unix.Accept4(a.Listener.FD, unix.SOCK_CLOEXEC); !errors.Is(err, unix.EAGAIN) {
			return out, fmt.Errorf("accept where nobody waits: %v", err)
		}
		out.Failed++
	}
	return out, nil
}

// TestAcceptEmpty: each accept that finds nobody is counted, at the thread that called.
func TestAcceptEmpty(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	asked := do[starved](p.server, "empty", emptyArgs{Listener: l, N: 300})
	w.untilSampled(l)
	told := 0
	for _, e := range w.seen() {
		if e.Kind != event.AcceptEmpty || e.NetNS != w.ns {
			continue
		}
		told += int(e.Count)
		c := &checker{e: &e}
		is(c, event.FieldPID, e.PID, asked.PID)
		is(c, event.FieldTID, e.TID, asked.TID)
		is(c, event.FieldComm, e.Comm, serverName())
		is(c, event.FieldListener, e.Listener, l.Local)
		is(c, event.FieldListenerConn, e.ListenerConn, w.cookie(l))
		w.report(c)
	}
	if !w.knows(knowsAcceptError) {
		asked.Failed = 0
	}
	if told != asked.Failed {
		t.Errorf("%d calls were told, want %d", told, asked.Failed)
	}
	for _, row := range w.snapshot().Listeners {
		if row.Conn == w.cookie(l) && (len(row.Acceptors) != 1 || row.Acceptors[0].Empty != uint64(asked.Failed)) && asked.Failed > 0 {
			t.Errorf("acceptors %+v, want one with %d empty calls", row.Acceptors, asked.Failed)
		}
	}
	w.lossless()
}
