// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"os"
	"slices"
	"testing"

	"beltrace/collector/live"
	"beltrace/collector/probes"
)

// onceAKernel skips a test of what these sets tell in a guest that is held to a lower tier than its kernel has, if the
// sets have the same programs there: another guest of the same kernel runs it.
func onceAKernel(t *testing.T, sets ...probes.Set) {
	t.Helper()
	if os.Getenv("BELTRACE_LOWER_TIER") != "1" {
		return
	}
	for _, p := range probes.Table() {
		if slices.Contains(sets, p.Set) && slices.ContainsFunc(p.Hooks, func(h probes.Hook) bool { return h.Needs != probes.Tracepoint }) {
			return
		}
	}
	t.Skip("the same programs on each tier: the guest with the best tier of this kernel runs it")
}

// tierHere is the tier of this machine's sessions.
func (s *sharedSession) tierHere(t testing.TB) probes.Tier {
	t.Helper()
	if s.tier == "" {
		s.close(t)
		s.open(t, live.Config{})
		s.close(t)
	}
	return s.tier
}
