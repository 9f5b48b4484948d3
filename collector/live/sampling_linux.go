// SPDX-License-Identifier: Apache-2.0

package live

import (
	"math/bits"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
)

const (
	carried     = 40_000           // records a second that cost no more than watching should
	crowded     = 2                // samples in a row with more of them before connections are left out
	sampleCalm  = 10 * time.Second // of half as many before more connections are taken in again
	maxSampling = 10               // the smallest share is 1 in 2^10: SAMPLE_MASK_MAX
)

// sampling decides of how many connections the turns are told: of 1 in 2^share. The programs halve it by themselves when
// half of the ring is full; here it falls after some seconds of more records than can be carried, and rises by one step after
// a longer time of few.
type sampling struct {
	share   int
	records uint64 // at the last look
	looked  int64
	many    int   // looks in a row with too many
	quiet   int64 // since when there are few; 0: there are not
	full    bool  // the programs have raised it since the last look
}

// ofTurns reports whether such events are left out with their connections.
func ofTurns(k event.Kind) bool {
	return k == event.Turn || k == event.Read || k == event.Write || k == event.Readable || k == event.Offcpu
}

// look is called once a second, with the number of records so far, and returns whether the share has changed.
func (p *sampling) look(now int64, records uint64) bool {
	elapsed := now - p.looked
	n := records - p.records
	first := p.looked == 0
	p.looked, p.records = now, records
	full := p.full
	p.full = false
	if first || elapsed <= 0 {
		return false
	}
	rate := n * uint64(time.Second) / uint64(elapsed)
	if rate > carried {
		p.many, p.quiet = p.many+1, 0
		if p.many < crowded {
			return false
		}
		p.many = 0
		return p.set(p.share + bits.Len64((rate-1)/carried))
	}
	p.many = 0
	if full || rate > carried/3 {
		p.quiet = 0
		return false
	}
	if p.quiet == 0 {
		p.quiet = now
	}
	if now-p.quiet < int64(sampleCalm) {
		return false
	}
	p.quiet = now
	return p.set(p.share - 1)
}

// raised takes the programs' own share.
func (p *sampling) raised(mask uint32) {
	if share := bits.Len32(mask); share > p.share {
		p.full, p.quiet = true, 0
		p.set(share)
	}
}

func (p *sampling) set(share int) bool {
	before := p.share
	p.share = max(0, min(share, maxSampling))
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
	if s.sampling.look(now, s.turns) {
		s.sample()
	}
	s.reportLoss("sample", s.lost(bpf.KernelLostWhereNOT_SAMPLED), &s.counted.sample)
}

// lookAtRing is called when a read of the ring begins.
func (s *Session) lookAtRing() {
	var mask uint32
	if s.loader.variables["sample_mask"].Get(&mask) == nil {
		s.sampling.raised(mask)
		s.oneIn.Store(uint32(1) << s.sampling.share)
	}
}
