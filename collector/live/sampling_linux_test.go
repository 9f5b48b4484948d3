// SPDX-License-Identifier: Apache-2.0

package live

import (
	"testing"
	"time"
)

// The share falls so far that what is left can be carried, and comes back step by step when it is quiet for long.
func TestSampling(t *testing.T) {
	var p sampling
	var now int64
	var records uint64
	second := func(n uint64) bool {
		now += int64(time.Second)
		records += n
		return p.look(now, records)
	}
	second(0)
	if second(200_000) || p.share != 0 {
		t.Fatalf("1 in 2^%d after one crowded second", p.share)
	}
	second(1000)
	if second(200_000) || p.share != 0 {
		t.Fatalf("1 in 2^%d after two crowded seconds that do not follow each other", p.share)
	}
	if !second(200_000) || p.share != 3 { // 200,000 / 8 can be carried
		t.Fatalf("1 in 2^%d after two crowded seconds", p.share)
	}
	for range 60 { // as many as before: it stays
		if second(200_000) || p.share != 3 {
			t.Fatalf("1 in 2^%d while there are as many", p.share)
		}
	}
	for range 60 { // a fourth would do, but hardly
		if second(150_000) || p.share != 3 {
			t.Fatalf("1 in 2^%d while it could be too much again", p.share)
		}
	}
	for n := range 5 {
		if second(60_000) {
			t.Fatalf("after %d seconds with fewer the share is larger", n+1)
		}
	}
	if !second(60_000) || p.share != 2 { // 90,000 / 4 can be carried
		t.Errorf("1 in 2^%d after six seconds with fewer", p.share)
	}
	for range 6 {
		second(100)
	}
	if p.share != 0 {
		t.Errorf("1 in 2^%d after six quiet seconds", p.share)
	}
}

// What the programs decide when the ring fills holds, and is taken back as slowly as the rest.
func TestSamplingByTheRing(t *testing.T) {
	var p sampling
	p.raised(3)
	if p.share != 2 {
		t.Fatalf("1 in 2^%d after the programs went to 1 in 4", p.share)
	}
	p.raised(0) // it was read before ours was written
	if p.share != 2 {
		t.Errorf("1 in 2^%d after an old value", p.share)
	}
	now := int64(time.Minute)
	p.look(now, 0)
	for range 5 {
		now += int64(time.Second)
		if p.look(now, 0) {
			t.Fatal("it is taken back too early")
		}
	}
	for range 2 {
		now += int64(time.Second)
		p.look(now, 0)
	}
	if p.share != 0 {
		t.Errorf("1 in 2^%d after some seconds of quiet", p.share)
	}
}
