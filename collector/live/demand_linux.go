// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf/link"
)

// lingers is how long a set stays attached after it was last needed.
const lingers = 10 * time.Second

// demand is a set of probes that is attached while somebody needs it. Its programs are loaded at the start: loading them
// later would need the kernel's types again, which take far more memory than a few programs do.
type demand struct {
	always bool         // attached from the start to the end
	last   atomic.Int64 // when it was last needed, CLOCK_MONOTONIC; 0: never
	on     bool
	broken bool // attaching failed: it is not tried again
}

// alwaysOn reports whether the set is needed from the start to the end: what a filter selects is watched in full.
func (c *Config) alwaysOn(set probes.Set) bool {
	if set == probes.Samples || set == probes.Readiness {
		return slices.Contains(c.Want, set)
	}
	return !set.OnDemand() || slices.Contains(c.Want, set) || !c.Cheap && c.Filtered()
}

// Need says that somebody looks at what the probes of a set tell: they are attached within a moment, and stay so for some
// seconds after the last call. Any goroutine may call it, as often as it likes.
func (s *Session) Need(set probes.Set) {
	if d := s.demands[set]; d != nil {
		d.last.Store(monotonic())
	}
}

// Detail has each call of a connection told, with its first bytes; of the newest 1024 that it is called for. Without
// payload it does nothing. Any goroutine may call it.
func (s *Session) Detail(conn uint64) {
	if s.noPayload {
		return
	}
	if s.maps[bpf.KernelMapDetails].Put(conn, uint8(1)) == nil {
		s.detailed.Do(func() { s.loader.variables["details_on"].Set(true) })
	}
}

// noteSlow has the scheduler watched when an accept queue is more than half full: what do those do who should accept?
func (s *Session) noteSlow(e *event.Event) {
	if e.Known(event.FieldAcceptQueue) && e.Known(event.FieldBacklog) && 2*uint64(e.AcceptQueue) > uint64(e.Backlog)+1 {
		s.Need(probes.Sched)
	}
}

// Sets names the sets of probes that are attached now. Any goroutine may ask.
func (s *Session) Sets() []string {
	if sets := s.sets.Load(); sets != nil {
		return *sets
	}
	return nil
}

// heedNeeds attaches what is needed and detaches what is no longer.
func (s *Session) heedNeeds(now int64) {
	for set, d := range s.demands {
		last := d.last.Load()
		want := d.always || last != 0 && now-last < int64(lingers) || d.on && s.staysOn(set)
		if want != d.on && !d.broken {
			s.switchSet(set, d, want)
		}
	}
	if s.reseed.Swap(false) {
		s.seedThreads()
		s.seedLoops()
	}
}

// staysOn reports whether a set that is detached could not be attached again.
func (s *Session) staysOn(set probes.Set) bool {
	if !attachesOnce(s.info.Kernel) {
		return false
	}
	for _, a := range s.hooks {
		if a.set == set && a.hook.How == probes.Fentry {
			return true
		}
	}
	return false
}

// switchSet attaches or detaches the probes of a set.
func (s *Session) switchSet(set probes.Set, d *demand, on bool) {
	if on {
		s.closing.Wait() // a program cannot be attached to a tracepoint that it is still being taken from
	}
	switch {
	case !on:
		s.forget(set)
	case set == probes.Rings && !d.always:
		s.beginRings()
	}
	found := false
	for _, a := range s.hooks {
		found = found || a.set == set
		switch {
		case a.set != set:
		case !on:
			s.detachLater(a)
		case len(a.links) == 0:
			d.broken = s.attachHook(a, Config{}) != nil || d.broken
		}
	}
	d.broken = d.broken || !found
	d.on = on && !d.broken
	if d.on {
		s.begin(set)
	}
	s.publishSets()
}

// detachLater detaches a hook while the ring is read on: to take a program from a system call's tracepoint the kernel waits for
// all CPUs (tracepoint_synchronize_unregister), 20 to 80 ms for each of them. Close waits for it.
func (s *Session) detachLater(a *attached) {
	if a.hook.How != probes.ClassicTP {
		a.detach()
		return
	}
	old := attached{links: a.links}
	a.links = nil
	s.closing.Go(old.detach)
}

// begin lets the programs of a set that is attached now find what is there already.
func (s *Session) begin(set probes.Set) {
	switch set {
	case probes.Sched:
		s.beginThreads()
	case probes.Loops:
		s.beginLoops()
	case probes.Readiness:
		s.forgetReady() // what came while it was detached the last time
	case probes.Data:
		s.loader.variables["data_since"].Set(uint64(monotonic()))
	}
}

// forget clears what the programs of a set keep, before they are detached: when they come back it would be wrong.
func (s *Session) forget(set probes.Set) {
	switch set {
	case probes.Sched:
		s.endThreads()
	case probes.Loops:
		s.endLoops()
	case probes.Rings:
		s.sampleRings()
	case probes.Readiness:
		s.forgetReady()
	case probes.Data:
		m := s.maps[bpf.KernelMapFlows]
		var k uint64
		for m.NextKey(nil, &k) == nil {
			if m.Delete(k) != nil {
				return
			}
		}
	}
}

// publishSets makes what Sets returns.
func (s *Session) publishSets() {
	sets := slices.Clone(s.info.Sets)
	for set, d := range s.demands {
		if d.on {
			sets = append(sets, string(set))
		}
	}
	slices.Sort(sets)
	s.sets.Store(&sets)
}

// beginThreads lets the hooks add threads that they meet, and adds those that are there.
func (s *Session) beginThreads() {
	if s.hooks[probes.Threads] == nil {
		return
	}
	s.loader.variables["sched_on"].Set(true)
	s.threads.sampled = monotonic()
	s.seedThreads()
}

// isSelf reports whether a process runs this program.
func isSelf(pid uint32) bool {
	its, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return false
	}
	ours, err := os.Stat("/proc/self/exe")
	return err == nil && os.SameFile(its, ours)
}

// seedThreads lets the iterator add the threads that are wanted and not watched yet.
func (s *Session) seedThreads() {
	if s.held != 0 && !isSelf(s.held) {
		s.held = 0
		s.loader.variables["held_tgid"].Set(s.held)
	}
	s.hooks[probes.Threads].iterate()
}

// iterate runs the iterators of a hook.
func (a *attached) iterate() {
	if a == nil {
		return
	}
	for _, l := range a.links {
		if it, ok := l.(*link.Iter); ok {
			iterate(it.Open)
		}
	}
}

// endThreads queues the last numbers of all threads and forgets them.
func (s *Session) endThreads() {
	s.loader.variables["sched_on"].Set(false)
	s.sampleThreads(true)
	m := s.maps[bpf.KernelMapThreads]
	for tid := range s.threads.seen {
		m.Delete(tid)
	}
	clear(s.threads.seen)
	stacks := s.maps[bpf.KernelMapStacks]
	for _, tid := range tidsOf(stacks) {
		stacks.Delete(tid)
	}
}
