// SPDX-License-Identifier: Apache-2.0

package collector

import "testing"

func TestCPUs(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3,8": 5, "1,3,5-6": 4, "4095": 1, "": -1, "x": -1, "3-": -1, "0-4096": -1, "0,,1": -1, "-1": -1} {
		got := -1
		if s := parseCPUs(list); s != nil {
			got = s.count()
		}
		if got != want {
			t.Errorf("%q has %d CPUs, want %d", list, got, want)
		}
	}
	a, b := parseCPUs("0-1"), parseCPUs("1,64")
	if n := a.with(b).count(); n != 3 || a.count() != 2 || a.with(nil) != a {
		t.Errorf("0-1 and 1,64 are %d CPUs; 0-1 are %d", n, a.count())
	}
}
