// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"strings"
	"testing"
)

// TestUnknownTerminal wants to be told what to do where no dashboard can be drawn.
func TestUnknownTerminal(t *testing.T) {
	for _, term := range []string{"", "no-such-terminal", "dumb"} {
		t.Setenv("TERM", term)
		err := Run(t.Context(), Options{})
		if err == nil || !strings.Contains(err.Error(), "TERM=") || !strings.Contains(err.Error(), "--headless") {
			t.Errorf("TERM=%s: %v", term, err)
		}
	}
}
