// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"testing"
	"time"
)

// failures counts how often a helper called Errorf, instead of failing the test.
type failures struct {
	testing.TB
	n int
}

func (f *failures) Helper()               {}
func (f *failures) Errorf(string, ...any) { f.n++ }

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		got, want time.Duration
		ok        bool
	}{
		{0, 0, true},
		{time.Millisecond, 0, true},
		{-time.Millisecond - 1, 0, false},
		{106 * time.Millisecond, 100 * time.Millisecond, true},
		{106*time.Millisecond + 1, 100 * time.Millisecond, false},
		{94 * time.Millisecond, 100 * time.Millisecond, true},
		{93 * time.Millisecond, 100 * time.Millisecond, false},
	} {
		f := &failures{TB: t}
		Within(f, "value", c.got, c.want, time.Millisecond, 0.05)
		if ok := f.n == 0; ok != c.ok {
			t.Errorf("%v against %v: %v, want %v", c.got, c.want, ok, c.ok)
		}
	}
}

func TestUntil(t *testing.T) {
	calls := 0
	if !Until(time.Second, func() bool { calls++; return calls == 3 }) {
		t.Error("false although it was done at the third call")
	}
	if Until(time.Millisecond, func() bool { return false }) {
		t.Error("true although it was never done")
	}
}
