// SPDX-License-Identifier: Apache-2.0

package model

// Distribution summarises many values of one quantity. Values are exact while Count is at most the size of the
// reservoir that made it (see collector); above it they are estimates of a uniform sample. Max and Count are always exact.
type Distribution struct {
	Count uint64     `json:"count"`
	P50   Opt[int64] `json:"p50,omitzero"`
	P90   Opt[int64] `json:"p90,omitzero"`
	P99   Opt[int64] `json:"p99,omitzero"`
	Max   Opt[int64] `json:"max,omitzero"`
	// Buckets counts the values by power of two: Buckets[i] of them were in [2^i, 2^(i+1)) ns.
	Buckets []uint64 `json:"-"`
}
