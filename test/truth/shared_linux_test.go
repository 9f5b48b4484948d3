// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"os"
	"reflect"
	"sync"
	"testing"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// shared is the session that tests with the same configuration have one after the other, each with a collector of its
// own: in an emulated guest to open and to close a session takes longer than most tests. There are never two sessions: it
// is closed for a test that opens one of its own, or wants another configuration.
var shared = &sharedSession{}

type sharedSession struct {
	config  live.Config
	session *live.Session
	done    chan struct{} // closed when the session's events have ended
	tier    probes.Tier   // of the sessions so far
	before  testkit.BPF   // what this process held before
	spaces  []*os.File    // of the tests so far: the numbers of namespaces must not come back meanwhile

	mu    sync.Mutex
	watch *watch // of the test that runs, if it has the session
}

// begin gives the session to a test. It is opened if it is not there.
func (s *sharedSession) begin(t testing.TB, p *pair, c live.Config) *watch {
	t.Helper()
	if s.session == nil || !reflect.DeepEqual(c, s.config) {
		s.close(t)
		s.open(t, c)
	}
	w := p.newWatch(t)
	w.session, w.lent = s.session, true
	w.hold(s.session.Info().Tier)
	if !p.crowded { // the machine's own namespace stays anyway
		s.spaces = append(s.spaces, p.ns.Hold(t))
	}
	s.give(w)
	t.Cleanup(w.close)
	return w
}

func (s *sharedSession) open(t testing.TB, c live.Config) {
	t.Helper()
	s.config = c
	s.before = testkit.BPFOf(t, os.Getpid())
	session := openSession(t, c)
	s.session, s.tier, s.done = session, session.Info().Tier, make(chan struct{})
	go s.read(collector.Ordered(session), s.done)
}

// read gives each event to the test that has the session.
func (s *sharedSession) read(source event.Source, done chan<- struct{}) {
	defer close(done)
	for {
		var e event.Event
		err := source.Next(&e)
		s.mu.Lock()
		w := s.watch
		s.mu.Unlock()
		if w != nil {
			w.take(&e, err)
		}
		if err != nil {
			return
		}
	}
}

func (s *sharedSession) give(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = w
}

// close closes the session, if it is open: whatever the tests made it do, it leaves no object in the kernel.
func (s *sharedSession) close(t testing.TB) {
	t.Helper()
	if s.session == nil {
		return
	}
	if err := s.session.Close(); err != nil {
		t.Errorf("close session: %v", err)
	}
	<-s.done
	if left := testkit.BPFOf(t, os.Getpid()).Without(s.before); !left.Empty() {
		t.Errorf("BPF objects left of the session of many tests: %v", left)
	}
	for _, f := range s.spaces {
		f.Close()
	}
	s.session, s.spaces = nil, nil
}

// watchPrograms returns a watch of the pair's two programs, as with --pid: of what their threads do, too, and of what
// else is wanted.
func (p *pair) watchPrograms(t testing.TB, want ...probes.Set) *watch {
	t.Helper()
	w := shared.begin(t, p, live.Config{PIDs: []uint32{}, Want: want})
	for _, a := range []*agent{p.server, p.client} {
		if err := w.session.WatchPID(a.PID); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// noLeaks is testkit.NoLeaks for a test with a session of its own.
func noLeaks(t testing.TB) {
	t.Helper()
	shared.close(t)
	testkit.NoLeaks(t)
}
