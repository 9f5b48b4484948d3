// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"

	"beltrace/bpf"
)

// idleReads is after how many reads without a change a tally that nobody adds up is forgotten.
const idleReads = 60

// tallyState is what has been told of a tally.
type tallyState struct {
	told  uint64 // in grouped events
	total uint64 // at the last read
	idle  int    // reads since it changed
}

// readTallies queues one event for each tally of which more was counted than sent: what came too fast for single
// records, or found the ring full.
func (s *Session) readTallies(ts int64) {
	var k bpf.KernelTallyKey
	var t bpf.KernelTally
	var idle []bpf.KernelTallyKey
	for it := s.maps["tallies"].Iterate(); it.Next(&k, &t); {
		if s.tell(k, &t, ts) >= idleReads {
			idle = append(idle, k)
		}
	}
	for _, k := range idle {
		s.forgetTally(k)
	}
}

// tell queues what is new of a tally and returns how many reads ago it changed, or 0 if it must stay.
func (s *Session) tell(k bpf.KernelTallyKey, t *bpf.KernelTally, ts int64) int {
	state := s.tallies[k]
	if state == nil {
		state = &tallyState{}
		s.tallies[k] = state
	}
	if state.idle++; t.Total != state.total {
		state.total, state.idle = t.Total, 0
	}
	if count := t.Total - min(t.Total, t.Sent+state.told); count > 0 {
		if e, ok := s.decoder.tally(&k, t, count, ts); ok {
			s.addDescriptors(&e)
			s.pending = append(s.pending, e)
			state.told += count
		}
	}
	switch bpf.KernelTallyWhat(k.What) {
	case bpf.KernelTallyWhatTALLY_UNREACHED, bpf.KernelTallyWhatTALLY_ACCEPT_ERROR, bpf.KernelTallyWhatTALLY_ACCEPT_EMPTY:
		return state.idle
	}
	return 0 // a sample of its listener adds it up
}

func (s *Session) forgetTally(k bpf.KernelTallyKey) {
	s.maps["tallies"].Delete(k)
	delete(s.tallies, k)
}

// endTallies queues the last of a listener that has ended, and frees its tallies.
func (s *Session) endTallies(listener uint64, ts int64) {
	var k bpf.KernelTallyKey
	var t bpf.KernelTally
	for it := s.maps["tallies"].Iterate(); it.Next(&k, &t); {
		if k.Id == listener {
			s.tell(k, &t, ts)
		}
	}
}

// forgetTallies frees those of a listener.
func (s *Session) forgetTallies(listener uint64) {
	for k := range s.tallies {
		if k.Id == listener {
			s.forgetTally(k)
		}
	}
}

// refusedACKs is how many final ACKs a listener refused, at the last read; byCookie: of them, those on a SYN cookie.
func (s *Session) refusedACKs(listener uint64) (acks, byCookie uint64) {
	for k, state := range s.tallies {
		switch {
		case k.Id != listener:
		case k.What == uint8(bpf.KernelTallyWhatTALLY_ACK):
			acks += state.total
		case k.What == uint8(bpf.KernelTallyWhatTALLY_COOKIE_ACK):
			byCookie += state.total
		}
	}
	return acks, byCookie
}

// refusedUnreached is how many SYNs a listener's socket itself refused without looking at its queues: its counter of drops
// has them too.
func (s *Session) refusedUnreached(listener uint64) (n uint64) {
	for k, state := range s.tallies {
		if k.Id == listener && k.What == uint8(bpf.KernelTallyWhatTALLY_UNREACHED) && slices.Contains(bySocket, s.decoder.reasons[k.Code]) {
			n += state.total
		}
	}
	return n
}
