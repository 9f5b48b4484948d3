// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"math/bits"
	"strconv"
	"strings"
)

// cpuSet is a set of CPUs.
type cpuSet [maxCPUs / 64]uint64

// maxCPULists bounds the lists that are remembered: hosts have few.
const maxCPULists = 256

// cpusOf is parseCPUs that remembers: most threads may use the same CPUs.
func (c *Collector) cpusOf(list string) *cpuSet {
	s, ok := c.cpuLists[list]
	if !ok {
		if c.cpuLists == nil || len(c.cpuLists) >= maxCPULists {
			c.cpuLists = map[string]*cpuSet{}
		}
		s = parseCPUs(list)
		c.cpuLists[list] = s
	}
	return s
}

// parseCPUs reads a list as the kernel writes it, 0-3,8; nil if it is none.
func parseCPUs(list string) *cpuSet {
	var s cpuSet
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 32)
		last, err2 := strconv.ParseUint(to, 10, 32)
		if err1 != nil || err2 != nil || last >= maxCPUs {
			return nil
		}
		for cpu := first; cpu <= last; cpu++ {
			s[cpu/64] |= 1 << (cpu % 64)
		}
	}
	return &s
}

// with is the union of two sets; other may be nil.
func (s *cpuSet) with(other *cpuSet) *cpuSet {
	if other == nil || *s == *other {
		return s
	}
	u := *s
	for i, word := range other {
		u[i] |= word
	}
	return &u
}

func (s *cpuSet) count() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}
