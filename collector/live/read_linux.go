// SPDX-License-Identifier: Apache-2.0

package live

import (
	"io"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
)

const (
	// tickPeriod is how often the ring is read. Waking the reader for each record would cost nine times as much.
	tickPeriod = 20 * time.Millisecond
	// samplePeriod is how often the queues are sampled and the loss counters read.
	samplePeriod = time.Second
	// slack is how long before a drain an event may have been stamped and not be in the ring yet: a program that was
	// interrupted between stamp and reservation, or a connect that is written when its call returns (over loopback the
	// whole handshake lies in between).
	slack = 10 * time.Millisecond
	// markEvery is after how many records a long drain is marked on its way, so that whoever orders the events need not
	// hold a whole ring of them.
	markEvery = 512
)

// lossCounters are the values up to which losses have been reported.
type lossCounters struct{ ring, maps, missed, sample uint64 }

// Next returns the next event: what existed at start, then live events, a Watermark after each read of the ring and in
// long ones also on the way, and once a second samples of the queues and what was lost.
func (s *Session) Next(e *event.Event) error {
	s.read.Lock()
	err := s.next(e)
	s.read.Unlock()
	return err
}

func (s *Session) next(e *event.Event) error {
	for {
		select {
		case <-s.done:
			return io.EOF
		default:
		}
		if len(s.pending) > 0 {
			*e = s.pending[0]
			s.pending = s.pending[1:]
			return nil
		}
		if s.seeds.raw != nil && s.nextSeed(e) {
			return nil
		}
		if s.draining {
			if s.drain(e) {
				return nil
			}
			continue
		}
		if s.final || !s.wait() {
			return io.EOF
		}
		s.pending = s.pending[:0]
		s.began, s.draining = monotonic(), true
		s.heedNeeds(s.began)
		s.heedStacks(s.began)
		s.releaseHeld(s.began)
		s.ring.begin()
		s.lookAtRing()
	}
}

// drain delivers the next event of the ring, or the watermark that ends the drain. False: nothing to deliver.
func (s *Session) drain(e *event.Event) bool {
	for {
		if s.unmarked >= markEvery {
			s.unmarked = 0
			*e = event.Event{Kind: event.Watermark, TS: s.mark(s.newest - int64(slack))}
			return true
		}
		raw, complete := s.ring.next()
		if raw != nil {
			s.meter.records++
			if err := s.decoder.decode(raw, e); err != nil {
				continue // a record of another version cannot be: both ends are in this binary
			}
			s.unmarked++
			if ofTurns(e.Kind) {
				s.turns++
			}
			s.newest = max(s.newest, e.TS) // no record that comes later was reserved before this one
			s.note(raw, e)
			if s.hold(e) {
				continue
			}
			return true
		}
		s.draining = false
		switch {
		case s.final || s.began-s.sampled >= int64(samplePeriod):
			s.sampled, s.sampledBusy = s.began, s.began
			s.periodic()
		case s.busy && s.began-s.sampledBusy >= int64(busyPeriod):
			s.sampledBusy = s.began
			s.sampleQueues(true)
		}
		if !complete {
			return false
		}
		*e = event.Event{Kind: event.Watermark, TS: s.mark(s.began - int64(slack))}
		return true
	}
}

// note keeps what the events of listeners leave for later reads.
func (s *Session) note(raw []byte, e *event.Event) {
	switch e.Kind {
	case event.Listen:
		s.listeners[e.Conn] = &listenerState{netns: e.NetNS, ownership: ownership{pid: e.PID}}
		s.enter(e)
	case event.Accept, event.SYN, event.SYNDrop:
		s.noteBusy(e)
	case event.AcceptError:
		s.addDescriptors(e)
	case event.Unlisten:
		s.endListener(e, record[bpf.KernelQueueEvent](raw).Drops)
	case event.Thread:
		s.threads.rename(e)
	}
}

// wait sleeps until the next read is due. It gives up the lock meanwhile, so that Close need not wait, and says false
// when there is nothing to read any more.
func (s *Session) wait() bool {
	s.read.Unlock()
	t := time.NewTimer(s.tick)
	defer t.Stop()
	final := false
	select {
	case <-s.done:
	case <-s.last:
		final = true
	case <-t.C:
	}
	s.read.Lock()
	s.final = s.final || final
	select {
	case <-s.done: // perhaps closed, and the ring unmapped, between the timer and the lock
		return false
	default:
		return true
	}
}

// periodic queues what is asked of the kernel once a second.
func (s *Session) periodic() {
	s.watchMembers() // a full map shows as a member that is not watched; nothing else can be done about it here
	clear(s.descriptors)
	s.findJoined()
	s.readTallies(monotonic())
	s.sampleQueues(false)
	s.readSpaces(monotonic())
	s.checkBlockedAcceptors()
	if d := s.demands[probes.Sched]; d.on {
		s.sampleThreads(s.final)
	}
	if s.demands[probes.Data].on {
		s.hooks[probes.Unread].iterate() // its records come through the ring
	}
	if s.demands[probes.Loops].on {
		s.sampleLoops(s.final)
	}
	if s.demands[probes.Rings].on {
		s.sampleRings()
	}
	if cost, ok := s.meter.estimate(s.began, s.hooks, s.demands[probes.Sched].on); ok {
		s.cost.Store(&cost)
	}
	s.lookAtRate(s.began)
	s.reportLoss("ring", s.lost(bpf.KernelLostWhereLOST_RING), &s.counted.ring)
	s.reportLoss("map", s.lost(bpf.KernelLostWhereLOST_MAP), &s.counted.maps)
	s.reportLoss("missed", s.missed(), &s.counted.missed)
}

// lost adds up one per-CPU loss counter.
func (s *Session) lost(where bpf.KernelLostWhere) uint64 {
	var perCPU []uint64
	if err := s.maps["lost"].Lookup(uint32(where), &perCPU); err != nil {
		return 0
	}
	var sum uint64
	for _, n := range perCPU {
		sum += n
	}
	return sum
}

// reportLoss queues a Lost event for what was lost since the last report.
func (s *Session) reportLoss(where string, total uint64, reported *uint64) {
	if total <= *reported {
		return
	}
	e := event.Event{TS: monotonic(), Kind: event.Lost, Where: where, Count: total - *reported}
	s.pending = append(s.pending, *e.Set(event.FieldWhere, event.FieldCount))
	*reported = total
}

// iterate reads everything that an iterator writes.
func iterate(open func() (io.ReadCloser, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

var _ event.Source = (*Session)(nil)

// keys lists the keys of a small map.
func keys(m *ebpf.Map) []uint32 {
	var out []uint32
	var k uint32
	var v uint8
	it := m.Iterate()
	for it.Next(&k, &v) {
		out = append(out, k)
	}
	return out
}
