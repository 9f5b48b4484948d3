// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
)

type starveArgs struct {
	Listener socket
	N        int
	Hold     time.Duration // how long the limit stays after the last call
	Ring     bool          // by io_uring
}

type starved struct {
	PID, TID uint32
	Failed   int
	Limit    uint64
}

// opStarve takes the process's last free descriptor and calls accept n times, which fails with EMFILE.
func opStarve(a starveArgs) (out starved, err error) {
	out.PID, out.TID = uint32(os.Getpid()), uint32(unix.Gettid())
	accept := func() error { _, _, err := unix.Accept4(a.Listener.FD, unix.SOCK_CLOEXEC); return err }
	if a.Ring {
		r, err := newRing()
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
			return out, nil // the kernel has none for us
		}
		if err != nil {
			return out, err
		}
		defer r.close()
		accept = func() error { _, err := r.accept(a.Listener.FD); return err }
	}
	free, err := unix.Dup(a.Listener.FD)
	if err != nil {
		return out, err
	}
	unix.Close(free)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		return out, err
	}
	out.Limit = uint64(free)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: out.Limit, Max: was.Max}); err != nil {
		return out, err
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
	for range a.N {
		if err := accept(); !errors.Is(err, unix.EMFILE) {
			return out, fmt.Errorf("accept without a free descriptor: %v", err)
		}
		out.Failed++
	}
	time.Sleep(a.Hold)
	return out, nil
}

// TestAcceptError: accept that fails for want of a descriptor, with the thread, the process's limit and how many it has
// open. There are more than single events are sent for: the rest comes in groups.
func TestAcceptError(t *testing.T) {
	t.Run("accept4", func(t *testing.T) { acceptErrors(t, starveArgs{N: 400}, knowsAcceptError) })
	t.Run("io_uring", func(t *testing.T) { acceptErrors(t, starveArgs{N: 20, Ring: true}, knowsRingError) })
}

func acceptErrors(t *testing.T, args starveArgs, known string) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{End: endKeep}})
	args.Listener, args.Hold = l, 200*time.Millisecond
	failed := do[starved](p.server, "starve", args)
	w.untilSampled(l)
	told := 0
	for _, e := range w.seen() {
		if e.Kind == event.AcceptError && e.NetNS == w.ns {
			told += w.acceptError(&e, l, failed)
		}
	}
	if !w.knows(known) {
		failed.Failed = 0
	}
	if told != failed.Failed {
		t.Errorf("%d errors were told, want %d", told, failed.Failed)
	}
	w.lossless()
}

// acceptError checks an event, and returns how many errors it stands for.
func (w *watch) acceptError(e *event.Event, l socket, failed starved) int {
	w.t.Helper()
	c := &checker{e: e}
	is(c, event.FieldPID, e.PID, failed.PID)
	is(c, event.FieldTID, e.TID, failed.TID)
	is(c, event.FieldComm, e.Comm, serverName())
	is(c, event.FieldErrno, e.Errno, int32(unix.EMFILE))
	is(c, event.FieldListener, e.Listener, l.Local)
	is(c, event.FieldListenerConn, e.ListenerConn, w.cookie(l))
	defer w.report(c)
	if e.Known(event.FieldCount) {
		return int(e.Count)
	}
	is(c, event.FieldFDLimit, e.FDLimit, failed.Limit)
	c.between(event.FieldOpenFDs, int64(e.OpenFDs), 1, int64(failed.Limit))
	return 1
}
