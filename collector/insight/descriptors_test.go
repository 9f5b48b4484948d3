// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"testing"

	"beltrace/collector/model"
)

// TestDescriptors: how many are open is said with the limit, and without one that is not known.
func TestDescriptors(t *testing.T) {
	for _, c := range []struct {
		limit model.Opt[uint64]
		want  string
	}{
		{model.Some[uint64](40), "21 of 40 file descriptors are open"},
		{model.Some[uint64](20), "21 file descriptors are open and the limit is 20: 1 was open before it was set"},
		{model.Opt[uint64]{}, "21 file descriptors are open"},
	} {
		if got := descriptors(21, c.limit); got != c.want {
			t.Errorf("limit %+v: %q, want %q", c.limit, got, c.want)
		}
	}
}
