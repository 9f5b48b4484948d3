// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"sync"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"
	"beltrace/internal/symbol"
)

const (
	maxStackPIDs = 256  // MAX_STACK_PIDS in stack.bpf.h
	maxStacks    = 1024 // whose names are kept
	stacksLast   = 10 * time.Second
	// patience is how long an event waits for the names of its stack; it is delivered without them then.
	patience = 500 * time.Millisecond
)

// stackKey is a stack of a process: what is named once.
type stackKey struct {
	pid   uint32
	stack bpf.KernelStack
}

type namedStack struct {
	key   stackKey
	names []string
}

// stacks has the kernel take the stacks of threads, and gives them names. Files are read on a goroutine of its own: events
// wait for it, but nobody else does.
type stacks struct {
	mu    sync.Mutex
	asked map[uint32]int64 // when somebody last looked, by process
	on    map[uint32]bool  // what the programs know

	ask    chan stackKey   // nil: nothing was asked for yet
	told   chan namedStack // answers
	known  map[stackKey][]string
	since  int64 // since when they are kept: a process may execute another program
	asking map[stackKey]bool
	held   []heldEvent
}

// heldEvent is one that waits for the names of its stack.
type heldEvent struct {
	e     event.Event
	key   stackKey
	since int64
}

// Stacks says that somebody looks at what the process does for its requests: until some seconds after the last call, where
// its threads go to sleep meanwhile is told with their sleeps. Any goroutine may call it, as often as it likes.
func (s *Session) Stacks(pid uint32) {
	s.stacks.mu.Lock()
	if _, ok := s.stacks.asked[pid]; ok || len(s.stacks.asked) < maxStackPIDs {
		if s.stacks.asked == nil {
			s.stacks.asked = map[uint32]int64{}
		}
		s.stacks.asked[pid] = monotonic()
	}
	s.stacks.mu.Unlock()
	s.Need(probes.Sched)
	s.Need(probes.Samples)
}

// heedStacks tells the programs whose stacks are asked for.
func (s *Session) heedStacks(now int64) {
	t := &s.stacks
	t.mu.Lock()
	defer t.mu.Unlock()
	m, before := s.maps[bpf.KernelMapStackPids], len(t.on)
	for pid, last := range t.asked {
		if now-last > int64(stacksLast) {
			delete(t.asked, pid)
			delete(t.on, pid)
			m.Delete(pid)
		} else if !t.on[pid] && m.Put(pid, uint8(1)) == nil {
			if t.on == nil {
				t.on = map[uint32]bool{}
			}
			t.on[pid] = true
		}
	}
	if (before > 0) != (len(t.on) > 0) {
		s.loader.variables["stacks_on"].Set(len(t.on) > 0)
	}
}

// hold gives the event the names of its stack, if they are known, or keeps it until they are.
func (s *Session) hold(e *event.Event) bool {
	stack := s.decoder.stack
	if s.decoder.stack = nil; stack == nil || !e.Known(event.FieldPID) {
		return false
	}
	t, key := &s.stacks, stackKey{e.PID, *stack}
	if names, ok := t.known[key]; ok {
		putStack(e, names)
		return false
	}
	if t.ask == nil {
		t.ask, t.told = make(chan stackKey, 64), make(chan namedStack, 64)
		t.known, t.asking = map[stackKey][]string{}, map[stackKey]bool{}
		s.naming.Go(func() { nameStacks(t.ask, t.told, s.done) })
	}
	if !t.asking[key] {
		select {
		case t.ask <- key:
			t.asking[key] = true
		default: // too many at once
			return false
		}
	}
	t.held = append(t.held, heldEvent{*e, key, s.began})
	return true
}

func putStack(e *event.Event, names []string) {
	if len(names) > 0 {
		e.Turn.Stack = names
		e.Set(event.FieldStack)
	}
}

// releaseHeld queues the events whose stacks have names by now, and those that have waited long enough. In the last drain it
// waits for them.
func (s *Session) releaseHeld(now int64) {
	t := &s.stacks
	if len(t.held) == 0 {
		return
	}
	var timeout <-chan time.Time
	if s.final {
		timeout = time.After(patience)
	}
	for len(t.asking) > 0 && t.take(timeout) {
	}
	t.held = slices.DeleteFunc(t.held, func(h heldEvent) bool {
		names, named := t.known[h.key]
		if named {
			putStack(&h.e, names)
		} else if !s.final && now-h.since < int64(patience) {
			return false
		}
		s.pending = append(s.pending, h.e)
		return true
	})
	if now-t.since > int64(stacksLast) && len(t.asking) == 0 || len(t.known) > maxStacks {
		clear(t.known)
		t.since = now
	}
}

// take takes an answer. Without a timeout it does not wait for one.
func (t *stacks) take(timeout <-chan time.Time) bool {
	if timeout == nil {
		select {
		case n := <-t.told:
			t.learn(n)
			return true
		default:
			return false
		}
	}
	select {
	case n := <-t.told:
		t.learn(n)
		return true
	case <-timeout:
		return false
	}
}

func (t *stacks) learn(n namedStack) {
	t.known[n.key] = n.names
	delete(t.asking, n.key)
}

// mark is the time up to which everything has been delivered, what is held included.
func (s *Session) mark(ts int64) int64 {
	for i := range s.stacks.held {
		ts = min(ts, s.stacks.held[i].e.TS-1)
	}
	return ts
}

// nameStacks answers until done is closed.
func nameStacks(ask <-chan stackKey, told chan<- namedStack, done <-chan struct{}) {
	namer := symbol.New()
	for {
		select {
		case <-done:
			return
		case key := <-ask:
			stack := key.stack.Ip[:]
			if i := slices.Index(stack, 0); i >= 0 {
				stack = stack[:i]
			}
			select {
			case told <- namedStack{key, namer.Names(key.pid, stack)}:
			case <-done:
				return
			}
		}
	}
}
