// SPDX-License-Identifier: Apache-2.0

package live

import (
	"math/bits"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
)

const (
	carried     = 40_000          // turns a second that cost no more than watching should
	crowded     = 2               // seconds in a row with more of them before connections are left out
	sampleCalm  = 5 * time.Second // in which a larger share would have done before it is taken
	maxSampling = 10              // the smallest share is 1 in 2^10: SAMPLE_MASK_MAX
)

// sampling decides of how many connections the turns are told: of 1 in 2^share. The programs halve it by themselves while
// half of the ring is full; here it follows how many turns there are, told or not: downwards after two seconds, upwards after
// some more.
type sampling struct {
	share  int
	least  int    // it is never less: see Config.Share
	turns  uint64 // at the last look
	looked int64
	many   int   // looks in a row with too many
	quiet  int64 // since when a larger share would do; 0: it would not
	full   bool  // the programs have raised it since the last look
}

// ofTurns reports whether such events are left out with their connections.
func ofTurns(k event.Kind) bool {
	return k == event.Turn || k == event.Read || k == event.Write || k == event.Readable || k == event.Offcpu
}

// look is called once a second, with the number of turns so far, told or left out, and returns whether the share has changed.
func (p *sampling) look(now int64, turns uint64) bool {
	elapsed, n, first, full := now-p.looked, turns-p.turns, p.looked == 0, p.full
	p.looked, p.turns, p.full = now, turns, false
	if first || elapsed <= 0 {
		return false
	}
	rate := n * uint64(time.Second) / uint64(elapsed)
	if sharing(rate) > p.share {
		p.quiet = 0
		if p.many++; p.many < crowded {
			return false
		}
		p.many = 0
		return p.set(sharing(rate))
	}
	p.many = 0
	enough := max(p.least, sharing(rate+rate/2)) // with some room, lest it goes to and fro
	if full || enough >= p.share {
		p.quiet = 0
		return false
	}
	if p.quiet == 0 {
		p.quiet = now
	}
	if now-p.quiet < int64(sampleCalm) {
		return false
	}
	p.quiet = 0
	return p.set(enough)
}

// sharing is the share with which that many turns a second can be carried.
func sharing(rate uint64) int { return bits.Len64((max(rate, 1) - 1) / carried) }

// raised takes the programs' own share.
func (p *sampling) raised(mask uint32) {
	if share := bits.Len32(mask); share > p.share {
		p.full, p.quiet = true, 0
		p.set(share)
	}
}

func (p *sampling) set(share int) bool {
	before := p.share
	p.share = max(p.least, min(share, maxSampling))
	return p.share != before
}

// sample tells the programs of how many connections they tell the turns.
func (s *Session) sample() {
	s.loader.variables["sample_mask"].Set(uint32(1)<<s.sampling.share - 1)
	s.oneIn.Store(uint32(1) << s.sampling.share)
}

// Sampling is 1 in how many connections the turns are told of, and so the exchanges; 1: of all. Any goroutine may ask.
func (s *Session) Sampling() uint32 { return max(1, s.oneIn.Load()) }

// lookAtRate is called once a second.
func (s *Session) lookAtRate(now int64) {
	skipped := s.lost(bpf.KernelLostWhereNOT_SAMPLED)
	if s.sampling.look(now, s.turns+skipped) {
		s.sample()
	}
	s.reportLoss("sample", skipped, &s.counted.sample)
}

// lookAtRing is called when a read of the ring begins.
func (s *Session) lookAtRing() {
	var mask uint32
	if s.loader.variables["sample_mask"].Get(&mask) == nil {
		s.sampling.raised(mask)
		s.oneIn.Store(uint32(1) << s.sampling.share)
	}
}
