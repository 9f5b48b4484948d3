// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"time"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf/link"
)

// busyPeriod is how often a listener is sampled one of whose queues is more than half full.
const busyPeriod = 100 * time.Millisecond

// listenerState is what samples leave for the next one.
type listenerState struct {
	before uint64 // sk_drops when the watch began
	last   uint64 // SYNs that the last sample's sk_drops made out
	told   uint64 // of them, refusals told in grouped events
	vain   uint64 // of them, what was none, or may have been another listener's
	acks   uint64 // final ACKs refused
	drops  uint64 // sk_drops at the last sample
	busy   bool
	netns  uint32
	unseen int // samples since it was in one: its end may have been lost
	ownership
}

// forgetAfter is after how many samples without it a listener is forgotten.
const forgetAfter = 60

// noteBusy has the queues sampled more often as soon as any event says that one is more than half full.
func (s *Session) noteBusy(e *event.Event) {
	if !halfFull(e) {
		return
	}
	s.noteSlow(e)
	conn := e.ListenerConn
	if st := s.listeners[conn]; st != nil && !st.busy {
		st.busy, s.busy = true, true
	}
}

// halfFull reports whether the event says that a queue is more than half full: a backlog of N holds N + 1.
func halfFull(e *event.Event) bool {
	if !e.Known(event.FieldBacklog) || !e.Known(event.FieldListenerConn) {
		return false
	}
	room := uint64(e.Backlog) + 1
	return e.Known(event.FieldAcceptQueue) && 2*uint64(e.AcceptQueue) > room ||
		e.Known(event.FieldSYNQueue) && 2*uint64(e.SYNQueue) > room
}

// sampleQueues queues a sample of each listener; busyOnly: of those one of whose queues is more than half full.
func (s *Session) sampleQueues(busyOnly bool) {
	a := s.hooks[probes.QueueSample]
	if a == nil {
		return
	}
	s.busy = false
	if !busyOnly {
		s.forgetUnseen()
	}
	it := a.links[0].(*link.Iter)
	if a.hook.At != "tcp" {
		if raw, err := iterate(it.Open); err == nil {
			s.queueSamples(raw, busyOnly)
		}
		return
	}
	for _, path := range s.samplePlaces(busyOnly) {
		if raw, err := readIn(path, it); err == nil {
			s.queueSamples(raw, busyOnly)
		}
	}
}

// samplePlaces lists the network namespaces to sample in, where an iterator sees one at a time.
func (s *Session) samplePlaces(busyOnly bool) []string {
	if !busyOnly {
		return namespaces("")
	}
	var out []string
	for _, st := range s.listeners {
		if path := s.spaces.path(st.netns, 0); st.busy && path != "" && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	return out
}

// queueSamples decodes what the iterator wrote.
func (s *Session) queueSamples(raw []byte, busyOnly bool) {
	var all []sampled
	for size := int(unsafe.Sizeof(bpf.KernelSampleEvent{})); len(raw) >= size; raw = raw[size:] {
		var e event.Event
		r := record[bpf.KernelSampleEvent](raw)
		if s.decoder.decode(raw, &e) != nil {
			return
		}
		if s.chosen.joined[e.Conn] {
			s.tellJoined(r)
		}
		st := s.listener(e.Conn)
		if busyOnly && !st.busy {
			continue
		}
		st.busy, st.netns, st.unseen = halfFull(&e), e.NetNS, 0
		s.noteSlow(&e)
		s.spaces.sample(&e, r)
		if e.SkDrops != st.drops {
			s.spaces.of(e.NetNS).moved = true
		}
		s.busy = s.busy || st.busy
		st.drops = e.SkDrops
		s.setHeir(&e, st)
		all = append(all, sampled{event: e, state: st, raw: r})
	}
	s.queueSampled(all, busyOnly)
}

// sampled is what an iterator says of a listener.
type sampled struct {
	event event.Event
	state *listenerState
	raw   *bpf.KernelSampleEvent
}

// counts reports whether the sample says how many final ACKs were refused.
func counts(r *bpf.KernelSampleEvent) bool {
	return bpf.KernelEventHas(r.Q.E.Has)&bpf.KernelEventHasHAS_ACKS != 0
}

// queueSampled queues the samples behind what they show as refused.
func (s *Session) queueSampled(all []sampled, busyOnly bool) {
	if !busyOnly {
		s.findHeirs(all)
	}
	var made []claim
	for i := range all {
		if r := all[i].raw; !busyOnly && counts(r) {
			made = append(made, s.claim(all[i].state, &all[i].event, r.Acks, r.CookieAcks, s.final))
		}
	}
	s.settle(made)
	for i := range all {
		e := &all[i].event
		if counts(all[i].raw) {
			e.Drops = all[i].state.told + all[i].raw.Acks
			e.Set(event.FieldDrops)
		}
		s.pending = append(s.pending, *e)
	}
}

// listener returns what is kept of a listener. One whose beginning was lost counts from its beginning.
func (s *Session) listener(conn uint64) *listenerState {
	st := s.listeners[conn]
	if st == nil {
		st = &listenerState{}
		s.listeners[conn] = st
	}
	return st
}

// forgetUnseen drops what is kept of listeners that no sample shows any more.
func (s *Session) forgetUnseen() {
	for conn, st := range s.listeners {
		if st.unseen++; st.unseen > forgetAfter {
			s.forgetTallies(conn)
			delete(s.listeners, conn)
		}
	}
}

// endListener tells the last of a listener before its end e: e becomes the first event of that, and the end waits behind.
func (s *Session) endListener(e *event.Event, skDrops uint64) {
	st, sp := s.listener(e.Conn), s.spaces.of(e.NetNS)
	s.setHeir(e, st)
	end := *e
	s.endTallies(e.Conn, e.TS)
	if s.fidelity(probes.SYNDrop, probes.FactSYNDrops) == model.Derived {
		of := end
		of.SkDrops, of.ListenerConn = skDrops, e.Conn
		acks, byCookie := s.refusedACKs(e.Conn)
		last := s.claim(st, of.Set(event.FieldListenerConn), acks, byCookie, true)
		s.settle([]claim{last})
		sp.ended += acks
	}
	s.forgetTallies(e.Conn)
	delete(s.listeners, e.Conn)
	delete(s.chosen.joined, e.Conn)
	if skDrops != st.drops { // no sample comes after it that would have its namespace read
		sp.moved = true
		s.readSpace(sp, e.NetNS, e.TS)
	}
	s.pending = append(s.pending, end)
	*e = s.pending[0]
	s.pending = s.pending[1:]
}
