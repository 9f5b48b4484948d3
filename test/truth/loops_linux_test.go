// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// stallTime is how long the loops of these tests sleep in a handler.
const stallTime = 50 * time.Millisecond

const (
	loopPairs = 12
	// Before a thread of Go does something it may look into the runtime's epoll instance: its first three polls are then taken
	// for calls of a handler. The first waits of a loop find all descriptors ready, so that the others can be told from them.
	loopBegins = 4
)

// loopTurns are the waits of a loop over 12 descriptors: 20 that find 3 ready, 5 that find none, one that waits for its
// descriptor, and one with 9 ready behind a sleep.
func loopTurns() []waitArgs {
	out := slices.Repeat([]waitArgs{{Ready: loopPairs, Timeout: -1}}, loopBegins)
	for range 20 {
		out = append(out, waitArgs{Ready: 3, Timeout: -1})
	}
	for range 5 {
		out = append(out, waitArgs{Timeout: 2})
	}
	return append(out, waitArgs{Ready: 1, Late: 20 * time.Millisecond, Timeout: -1}, waitArgs{Ready: 9, Sleep: stallTime, Timeout: -1})
}

// TestLoops: what loops by epoll, poll and select find, wait by wait and in sum.
func TestLoops(t *testing.T) {
	noLeaks(t)
	p := newPair(t)
	w := p.openWatch(t, live.Config{PIDs: []uint32{p.server.PID}, Waits: true, Want: []probes.Set{probes.Readiness}})
	t.Run("interest", func(t *testing.T) { w.checkInterest(t, do[interested](p.server, "interest", struct{}{})) })
	for _, kind := range []string{event.LoopEpoll, event.LoopPoll, event.LoopSelect} {
		t.Run(kind, func(t *testing.T) {
			turns := loopTurns()
			did := do[looped](p.server, "loop", loopArgs{Kind: kind, Pairs: loopPairs, Waits: turns})
			e := w.until("the sum of all waits", func(e *event.Event) bool {
				return e.Kind == event.Loop && e.TID == did.TID && e.Loop.LoopKind == kind && counted(e) >= len(turns)-loopBegins
			})
			checkLoop(t, &e, did)
			checkStall(t, w, did, kind)
			if kind == event.LoopEpoll {
				w.checkWaits(t, did)
			}
			checkLoopRow(t, w.snapshot(), did, kind)
		})
	}
	w.lossless()
}

// counted is how many waits are told of a loop, but for its first ones.
func counted(e *event.Event) int {
	return int(e.Loop.Waits-e.Loop.Failed) - int(e.Loop.Wakeups[strconv.Itoa(loopPairs)])
}

// checkLoop compares the sums.
func checkLoop(t *testing.T, e *event.Event, did looped) {
	t.Helper()
	l := e.Loop
	wakeups, empty := map[string]int64{}, uint64(0)
	var blocked, busy int64
	for i, w := range did.Waits {
		if w.Ready == loopPairs {
			wakeups[strconv.Itoa(loopPairs)] = l.Wakeups[strconv.Itoa(loopPairs)]
		} else if w.Ready > 0 {
			wakeups[strconv.Itoa(w.Ready)]++
		} else {
			empty++
		}
		blocked += w.Returned - w.Called
		if i > 0 {
			busy += w.Called - did.Waits[i-1].Returned
		}
	}
	if counted(e) != len(did.Waits)-loopBegins || wakeups[strconv.Itoa(loopPairs)] == 0 || l.Empty != empty || l.Polls != 0 || !maps.Equal(l.Wakeups, wakeups) || l.Most != loopPairs {
		t.Errorf("it waited %d times, %d of them in vain, ready %v; told is %s", len(did.Waits), empty, wakeups, e.AppendJSON(nil))
	}
	if !e.Known(event.FieldSpurious) || l.Spurious != 0 {
		t.Errorf("nothing woke it in vain; told is %s", e.AppendJSON(nil))
	}
	if l.FDs != 12 || l.Sockets != 12 || !e.Known(event.FieldSockets) || len(l.Interest) != 12 {
		t.Errorf("it waits for 12 sockets; told is %s", e.AppendJSON(nil))
	}
	if l.LoopKind == event.LoopEpoll {
		want := map[string]int64{event.ModeEdge: 1, event.ModeExclusive: 1, event.ModeLevel: 11}
		if diff := cmp.Diff(want, l.Modes); diff != "" {
			t.Errorf("modes (-want +got):\n%s", diff)
		}
		if int(l.EpFD) != did.EpFD || l.Max != 64 {
			t.Errorf("epfd %d, max %d", l.EpFD, l.Max)
		}
	}
	// The CPU may be taken away between a reading of the program's clock and its call: that is no wait.
	ts := times{{"blocked_ns", time.Duration(l.InsideNS), span{blocked - did.OnCPU, blocked}}}
	if e.Phase == event.PhaseEnd { // else the time since the last return is in it
		ts = append(ts, sample{"busy_ns", time.Duration(l.BusyNS), span{busy, busy + did.OnCPU}})
	}
	ts.judge(t)
}

// checkStall looks for the sleep, and for what waited behind it.
func checkStall(t *testing.T, w *watch, did looped, kind string) {
	t.Helper()
	last := did.Waits[len(did.Waits)-1]
	defer func() {
		if t.Failed() || w.t.Failed() {
			for _, e := range w.seen() {
				if e.TID == did.TID && (e.Kind == event.Loop || e.Kind == event.LoopBlocked || e.Kind == event.Thread) {
					t.Logf("%s", e.AppendJSON(nil))
				}
			}
		}
	}()
	e := w.until("the sleep in the handler", func(e *event.Event) bool {
		return e.Kind == event.LoopBlocked && e.TID == did.TID && e.Loop.LoopKind == kind && e.TS >= last.Called
	})
	if e.Turn.On != "nanosleep" || e.Loop.Ready != 9 || e.Count != 1 {
		t.Errorf("9 were ready behind a nanosleep; told is %s", e.AppendJSON(nil))
	}
	if site := model.Stack(e.Turn.Stack).Site(); !strings.HasPrefix(site, sleepSite) {
		t.Errorf("it slept at %q; told is %s", site, e.AppendJSON(nil))
	}
	busy := last.Called - did.Waits[len(did.Waits)-2].Returned
	times{{"off_ns", time.Duration(e.Turn.OffNS), span{int64(stallTime) - last.Awake, last.Slept}}, {"busy_ns", time.Duration(e.Loop.BusyNS), span{busy, busy}}}.judge(t)
}

// checkWaits compares the events of an epoll loop one by one.
func (w *watch) checkWaits(t *testing.T, did looped) {
	t.Helper()
	var got []event.Event
	for _, e := range w.seen() { // Go looks into an instance of its own
		if e.Kind == event.EpollWait && e.TID == did.TID && int(e.Loop.EpFD) == did.EpFD && !e.Known(event.FieldErrno) {
			got = append(got, e)
		}
	}
	if len(got) != len(did.Waits) {
		t.Fatalf("%d events, %d waits", len(got), len(did.Waits))
	}
	turns := loopTurns()
	var ts times
	for i, e := range got {
		want := did.Waits[i]
		if e.PID != did.PID || int(e.Loop.Ready) != want.Ready || e.Loop.Max != 64 || int(e.Loop.TimeoutMS) != turns[i].Timeout || !e.Known(event.FieldTimeoutMS) {
			t.Errorf("wait %d found %d ready, with a timeout of %d ms; told is %s", i, want.Ready, turns[i].Timeout, e.AppendJSON(nil))
		}
		if e.Known(event.FieldBusyNS) != (i > 0) || !e.Known(event.FieldInsideNS) {
			t.Errorf("wait %d: which times are known: %s", i, e.AppendJSON(nil))
		}
		inside := want.Returned - want.Called
		ts = append(ts, sample{"blocked_ns", time.Duration(e.Loop.InsideNS), span{inside, inside}})
		if i > 0 {
			busy := want.Called - did.Waits[i-1].Returned
			ts = append(ts, sample{"busy_ns", time.Duration(e.Loop.BusyNS), span{busy, busy}})
		}
	}
	ts.judge(t)
}

// checkLoopRow looks at the loop in the snapshot.
func checkLoopRow(t *testing.T, s *model.Snapshot, did looped, kind string) {
	t.Helper()
	for _, l := range s.Loops {
		if l.TID != did.TID || l.Kind != kind {
			continue
		}
		if n := l.Ready.Count; n < 23 || n > 26 || l.Ready.P50 != model.Some[int64](3) || l.Ready.Max != model.Some[int64](loopPairs) || l.Empty != 5 || l.Stalls == 0 || l.Stall.V.Ready != 9 {
			t.Errorf("the row is %+v", l)
		}
		return
	}
	t.Errorf("there is no row of the loop")
}

// TestLoopsThatWait: a loop that has waited for long when it is watched, because somebody looks or a filter selects its
// process's port, is there with what it waits for; and of beltrace's own loop nothing is told.
func TestLoopsThatWait(t *testing.T) {
	for name, filter := range map[string]func(socket) live.Config{
		"on demand": func(socket) live.Config { return live.Config{} },
		"port":      func(l socket) live.Config { return live.Config{Ports: []uint16{l.Local.Port()}} },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			p := newPair(t)
			l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 8})
			serving := begin[looped](p.server, "loopserver", loopServer{Listener: l, Clients: 1, N: 1})
			kept := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{End: endKeep}})[0]
			var tid uint32
			if !testkit.Until(settleTime, func() bool { tid = epollWaiter(t, p.server.PID); return tid != 0 }) {
				t.Fatal("the server does not wait")
			}
			c := filter(l)
			w := p.openWatch(t, c)
			if len(c.Ports) == 0 {
				if slices.Contains(w.session.Sets(), string(probes.Loops)) {
					t.Error("loops are watched, and nobody has asked")
				}
			}
			w.session.Need(probes.Readiness)
			w.session.Need(probes.Loops)
			if w.knows(knowsReadied) && !testkit.Until(settleTime, func() bool { return slices.Contains(w.session.Sets(), string(probes.Readiness)) }) {
				t.Error("what becomes ready is not watched although it is needed")
			}
			e := w.until("the loop that waits", func(e *event.Event) bool { return e.Kind == event.Loop && e.TID == tid && e.Loop.Waits == 0 })
			if e.PID != p.server.PID || e.Loop.LoopKind != event.LoopEpoll || e.Loop.FDs != 1 || e.Loop.Sockets != 1 || e.Loop.InsideNS <= 0 || e.Loop.BusyNS != 0 {
				t.Errorf("told is %s", e.AppendJSON(nil))
			}
			if known := len(c.Ports) > 0 || w.meetsSleeps(); e.Known(event.FieldSpurious) != known { // nobody watches the scheduler
				t.Errorf("how often it was woken in vain is known: %v; told is %s", known, e.AppendJSON(nil))
			}
			do[bool](p.client, "send", sendArgs{FD: kept.FD, Text: "GET / HTTP/1.1\r\n\r\n"})
			if did := serving.result(); did.TID != tid {
				t.Errorf("thread %d served", did.TID)
			}
			if w.knows(knowsReadied) {
				fd := slices.Collect(maps.Keys(e.Loop.Interest))[0]
				e := w.until("that it became ready", func(e *event.Event) bool { return e.Kind == event.Loop && e.TID == tid && e.Loop.Readied[fd] > 0 })
				if e.Loop.Readied[fd] != 1 || e.Loop.ReadiedFDs != 1 || e.Loop.Added != 0 || !e.Known(event.FieldAdded) {
					t.Errorf("what was there before became ready once; told is %s", e.AppendJSON(nil))
				}
			}
			for _, e := range w.seen() {
				if e.Kind == event.Loop && e.PID != p.server.PID && (len(c.Ports) > 0 || e.PID == uint32(os.Getpid())) {
					t.Errorf("nobody asked for %s", e.AppendJSON(nil))
				}
			}
		})
	}
}

// meetsSleeps reports whether the hooks at waits see where their threads go to sleep.
func (w *watch) meetsSleeps() bool {
	return slices.ContainsFunc(w.session.Info().Probes, func(p live.ProbeInfo) bool {
		return p.Probe.Name == probes.Epoll && p.Hook != nil && p.Hook.How == probes.TPBTF
	})
}

// epollWaiter returns the thread of a process that waits for the one connection of a loop server, 0 if there is none yet: not
// one that waits in the loop of Go's runtime.
func epollWaiter(t testing.TB, pid uint32) uint32 {
	t.Helper()
	for _, tid := range callers(t, pid, unix.SYS_EPOLL_PWAIT) {
		var nr, fd, events, most int
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
		if err != nil {
			continue
		}
		if _, err := fmt.Sscanf(string(text), "%d 0x%x 0x%x 0x%x", &nr, &fd, &events, &most); err == nil && most == loopServerEvents {
			return tid
		}
	}
	return 0
}
