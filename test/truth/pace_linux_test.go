// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// otherWork is what an acceptor of bursts does between two of them, in a futex and on the CPU.
const otherWork = 300 * time.Millisecond

type burstArgs struct {
	Listener socket
	Bursts   int
	N        int // connections in each
	How      string
	For      time.Duration
}

// burst is what a thread knows about one.
type burst struct {
	PID, TID uint32
	Took     int64 // ns in what it passed the time with, between the accepts of a burst
	GapNS    int64 // ns from accept to accept in it
	Returned int64
}

// opBursts accepts connections that come in bursts, passes some time after each accept, and works on after each burst.
func opBursts(a burstArgs) (all burst, err error) {
	all = burst{PID: uint32(os.Getpid()), TID: uint32(unix.Gettid())}
	pass, err := passTime(workArgs{N: a.N * a.Bursts, How: a.How, For: a.For})
	if err != nil {
		return all, err
	}
	var w worked
	for range a.Bursts {
		if err := queued(a.Listener, a.N); err != nil {
			return all, err
		}
		last, took := int64(0), int64(0)
		for range a.N {
			fd, err := w.accept(a.Listener)
			if err != nil {
				return all, err
			}
			now := testkit.Mono()
			if last != 0 {
				all.Took += w.Took - took
				all.GapNS += now - last
			}
			last, took = now, w.Took
			if err := w.turn(a.How, pass, fd); err != nil {
				return all, err
			}
		}
		if err := wholly(otherWork, waitOnFutex); err != nil {
			return all, err
		}
		if err := spin(otherWork); err != nil {
			return all, err
		}
	}
	all.Returned = testkit.Mono()
	return all, wholly(restTime, rest)
}

// queued waits until so many connections wait: TCP_INFO of a listener says how many, as unacked.
func queued(l socket, n int) error {
	for {
		info, err := unix.GetsockoptTCPInfo(l.FD, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return fmt.Errorf("getsockopt TCP_INFO: %w", err)
		}
		if int(info.Unacked) >= n {
			return nil
		}
		if err := wholly(time.Millisecond, rest); err != nil {
			return err
		}
	}
}

// TestPace: what an acceptor does while connections wait is told exactly, whatever it does before, between and after.
func TestPace(t *testing.T) {
	onceAKernel(t, probes.Sched)
	for _, c := range []struct {
		how string
		n   int
		of  func(p *model.Pace) int64
		in  time.Duration
	}{
		{worksBySleep, 20, func(p *model.Pace) int64 { return p.BlockedNS["nanosleep"] }, 20 * time.Millisecond},
		{worksBySpin, 40, func(p *model.Pace) int64 { return p.RunningNS + p.RunqueueNS }, 5 * time.Millisecond},
		{worksBySocket, 20, func(p *model.Pace) int64 { return p.BlockedNS["recvfrom"] }, 20 * time.Millisecond},
	} {
		t.Run(c.how, func(t *testing.T) {
			const bursts = 2
			p, w := idlers(t)
			l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 64})
			working := begin[burst](p.server, "bursts", burstArgs{Listener: l, Bursts: bursts, N: c.n, How: c.how, For: c.in})
			for range bursts {
				if !testkit.Until(settleTime, func() bool { return threadsIn(t, p.server.PID, unix.SYS_PPOLL) == 1 }) {
					t.Fatal("the acceptor does not wait for a burst")
				}
				do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: c.n, Lanes: c.n, Talk: talk{End: endDrain}})
			}
			did := working.result()
			w.until("an event of the thread after its work", func(e *event.Event) bool {
				return e.Kind == event.Thread && e.TID == did.TID && e.TS >= did.Returned
			})
			pace := w.pace(l, did.TID)
			gaps := bursts * (c.n - 1)
			if !pace.Known() || pace.Gaps != uint64(gaps) {
				t.Fatalf("%d gaps of %d, known %v: %+v", pace.Gaps, gaps, pace.Known(), pace)
			}
			// What the program was in, it was blocked in but for the time that it had, or waited for, a CPU.
			each := func(ns int64) int64 { return ns / int64(gaps) }
			onCPU := pace.Each(pace.RunningNS + pace.RunqueueNS)
			in := span{each(did.Took) - onCPU, each(did.Took)}
			if c.how == worksBySpin {
				in = span{each(did.Took), each(did.GapNS)}
			}
			for _, s := range (times{
				{"between two accepts", time.Duration(pace.Each(pace.WatchedNS)), span{each(did.GapNS), each(did.GapNS)}},
				{"in " + c.how, time.Duration(pace.Each(c.of(&pace))), in},
			}) {
				if by := s.miss(); by > 0 {
					t.Errorf("%s: %v each, the program measured %v: out of bound by %v", s.what, s.got, s.want, by)
				}
			}
			if futex := pace.BlockedNS["futex"]; futex > int64(otherWork) { // some is of Go's runtime
				t.Errorf("in a futex for %v: that was when nobody waited", time.Duration(futex))
			}
			t.Logf("%+v; the program %+v", pace, did)
			w.lossless()
		})
	}
}

// pace returns what is told of an acceptor of the listener.
func (w *watch) pace(l socket, tid uint32) model.Pace {
	for _, row := range w.snapshot().Listeners {
		for _, a := range row.Acceptors {
			if row.Conn == w.cookie(l) && a.TID == tid {
				return a.Pace
			}
		}
	}
	w.t.Fatalf("nothing is told of acceptor %d", tid)
	return model.Pace{}
}
