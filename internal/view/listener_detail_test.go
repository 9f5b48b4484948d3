// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

// TestListenerTitle: when a listener opened is not when it closed.
func TestListenerTitle(t *testing.T) {
	for _, c := range []struct {
		state string
		older bool
		want  string
	}{
		{model.StateListening, false, "listening since 22:41:05.000"},
		{model.StateListening, true, "listening since before beltrace started"},
		{model.StateClosed, false, "closed, opened at 22:41:05.000"},
		{model.StateClosed, true, "closed, opened before beltrace started"},
	} {
		s := viewtest.Empty()
		s.Listeners = []model.Listener{{Conn: 1, Local: "[::]:80", State: c.state, Opened: viewtest.Now - 2e9, PreExisting: c.older}}
		d, ok := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ListenerRecord, ID: 1}, 100)
		if !ok || !strings.HasSuffix(d.Title.String(), "  "+c.want) {
			t.Errorf("%q, want %q", d.Title.String(), c.want)
		}
	}
}
