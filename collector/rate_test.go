// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"math"
	"testing"
)

// TestSteadyRate: what happens every 10 ms happens 100 times a second, whenever one asks; and what no longer happens is forgotten.
func TestSteadyRate(t *testing.T) {
	const ms = int64(1e6)
	r := rate{slot: rateSlot}
	begin := 12345*rateSlot + 7*ms
	for at := begin; at < begin+12_000*ms; at += 10 * ms {
		r.add(at, 1)
		if got := r.perSecond(at + 3*ms); at >= begin+1000*ms && math.Abs(got-100) > 1 {
			t.Fatalf("%.1f a second after %d ms", got, (at-begin)/ms)
		}
	}
	end := begin + 12_000*ms
	for _, c := range []struct {
		after       int64 // ms
		least, most float64
	}{{0, 99, 101}, {1000, 75, 82}, {3000, 30, 45}, {6000, 0, 0}} {
		if got := r.perSecond(end + c.after*ms); got < c.least || got > c.most {
			t.Errorf("%.1f a second %d ms after the last", got, c.after)
		}
	}
}
