// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"math/bits"
	"slices"

	"beltrace/collector/model"
)

// distribution summarises values of one quantity. It keeps all of them up to its size, and beyond that a uniform
// sample (algorithm R). The sampling is deterministic: a replay shows what was shown live.
type distribution struct {
	count   uint64
	max     int64
	values  []int64
	buckets [64]uint64
	random  uint64
	summary model.Distribution // of the first summed values
	summed  uint64
	power   []uint64 // buckets of the first counted values; never changed
	counted uint64
}

func (d *distribution) add(v int64, size int) {
	if v < 0 {
		return
	}
	if d.count == 0 || v > d.max {
		d.max = v
	}
	d.count++
	d.buckets[bucket(v)]++
	if len(d.values) < size {
		d.values = append(d.values, v)
		return
	}
	if i := d.draw(d.count); i < uint64(size) {
		d.values[i] = v
	}
}

// bucket returns which power of two v is in; 0 is counted with 1.
func bucket(v int64) int { return max(bits.Len64(uint64(v))-1, 0) }

// draw returns a number below n: splitmix64, multiplied down.
func (d *distribution) draw(n uint64) uint64 {
	d.random += 0x9e3779b97f4a7c15
	z := d.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	hi, _ := bits.Mul64(z^z>>31, n)
	return hi
}

// snapshot returns the summary. It is computed anew only after a value was added; its buckets are never changed.
func (d *distribution) snapshot() model.Distribution {
	if d.summed == d.count {
		return d.summary
	}
	sorted := slices.Clone(d.values)
	slices.Sort(sorted)
	top := bucket(d.max) + 1
	d.summed = d.count
	d.summary = model.Distribution{
		Count: d.count,
		P50:   model.Some(quantile(sorted, 50)), P90: model.Some(quantile(sorted, 90)), P99: model.Some(quantile(sorted, 99)),
		Max:     model.Some(d.max),
		Buckets: slices.Clone(d.buckets[:top]),
	}
	return d.summary
}

// light returns the summary without its percentiles, which cost a sort.
func (d *distribution) light() model.Distribution {
	if d.counted != d.count || d.power == nil && d.count > 0 {
		d.counted, d.power = d.count, slices.Clone(d.buckets[:bucket(d.max)+1])
	}
	return model.Distribution{Count: d.count, Max: model.Opt[int64]{V: d.max, Known: d.count > 0}, Buckets: d.power}
}

// quantile returns the smallest value that at least p percent of the sorted values do not exceed.
func quantile(sorted []int64, p int) int64 {
	return sorted[(len(sorted)*p+99)/100-1]
}
