// SPDX-License-Identifier: Apache-2.0

package live

import "beltrace/collector/event"

// claim is how many SYNs a listener may have refused that were not told: by its socket's counter of drops, which also
// counts what comes again for a request in the SYN queue.
type claim struct {
	state *listenerState
	of    event.Event // the sample, or the listener's end
	count uint64
	last  bool // no sample comes after this one
}

// claim works it out where only the counter of drops shows refused SYNs: it has each of them once, each final ACK twice
// or, on a SYN cookie, once. One count behind the other is not to be trusted, so only what two samples in a row make out
// is claimed, unless this one is the last.
func (s *Session) claim(st *listenerState, e *event.Event, acks, byCookie uint64, last bool) claim {
	drops := e.SkDrops - min(e.SkDrops, st.before)
	syns := drops - min(drops, 2*acks-min(acks, byCookie)+s.refusedUnreached(e.ListenerConn))
	settled := min(syns, st.last)
	if last {
		settled = syns
	}
	st.last, st.acks = syns, acks
	return claim{state: st, of: *e, count: settled - min(settled, st.told+st.vain), last: last}
}

// settle tells what is true of the claims: together they are no more than their namespace has counted.
func (s *Session) settle(all []claim) {
	spaces := map[uint32][]claim{}
	for _, c := range all {
		if c.count > 0 {
			spaces[c.of.NetNS] = append(spaces[c.of.NetNS], c)
		}
	}
	for ino, claims := range spaces {
		s.settleSpace(s.spaces.of(ino), ino, claims)
	}
}

func (s *Session) settleSpace(sp *space, ino uint32, claims []claim) {
	counts := make([]uint64, len(claims))
	for i := range claims {
		counts[i] = claims[i].count
	}
	told, somewhere := counts, uint64(0)
	if room, ok := s.room(sp, ino, claims[0].last); ok {
		var left uint64
		told, somewhere, left = share(room, counts, s.othersIn(sp, room))
		sp.others.leave(left)
	}
	for i, n := range told {
		st := claims[i].state
		st.told, st.vain = st.told+n, st.vain+claims[i].count-n
		if sp.syns += n; n > 0 {
			s.pending = append(s.pending, unexplained(&claims[i].of, event.StageSYN, n))
		}
	}
	if sp.syns += somewhere; somewhere > 0 {
		s.pending = append(s.pending, unplaced(ino, claims[0].of.TS, somewhere))
	}
}

// room is how many refused SYNs of a namespace were not told. Its counter has each refusal once, but of all listeners,
// also of those that are not watched: theirs are not taken away. It was read after the sample before this one, which the claims are from; for the
// last one it is read now. False: it cannot be read.
func (s *Session) room(sp *space, ino uint32, last bool) (uint64, bool) {
	if last {
		s.readCounters(sp, ino)
	}
	total := sp.now.ListenDrops
	return total - min(total, sp.acks+sp.syns), sp.have.Has(event.FieldListenDrops) && !sp.unread
}

// share tells how many of the claimed refusals are each listener's when there were no more than room: what is left when
// all the rest are right, also those of others, who are not watched. What is claimed beyond that, and fits, is
// somebody's. left: what remains for the others.
func share(room uint64, claimed []uint64, others uint64) (each []uint64, somewhere, left uint64) {
	var sum uint64
	for _, n := range claimed {
		sum += n
	}
	left = room - min(room, sum)
	if sum+others <= room {
		return claimed, 0, left
	}
	each, somewhere = make([]uint64, len(claimed)), min(room, sum)
	for i, n := range claimed {
		each[i] = room - min(room, sum-n+others)
		somewhere -= each[i]
	}
	return each, somewhere, left
}

// acksIn adds up the final ACKs that a namespace's present listeners have refused.
func (s *Session) acksIn(ino uint32) (sum uint64) {
	for _, st := range s.listeners {
		if st.netns == ino {
			sum += st.acks
		}
	}
	return sum
}

// unplaced makes the grouped refusal of nobody knows which listener of a namespace.
func unplaced(ino uint32, ts int64, count uint64) event.Event {
	e := event.Event{TS: ts, Kind: event.SYNDrop, NetNS: ino, Proto: "tcp", Reason: event.ReasonUnknown, Count: count}
	return *e.Set(event.FieldNetNS, event.FieldProto, event.FieldReason, event.FieldCount)
}
