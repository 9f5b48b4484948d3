// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/internal/view"
)

// TestEveryEndIsExplained wants words of its own for each reason, that are true of what had been reached by then.
func TestEveryEndIsExplained(t *testing.T) {
	established := model.Connection{DurationNS: model.Some[int64](1)}
	said := map[string]string{}
	for _, tt := range []struct {
		reason string
		of     model.Connection
		want   string
	}{
		{event.ReasonRefused, model.Connection{}, "ECONNREFUSED"},
		{event.ReasonTimeout, model.Connection{}, "ETIMEDOUT"},
		{event.ReasonUnreachable, model.Connection{}, "no way"},
		{event.ReasonReset, established, "The peer sent a RST"},
		{event.ReasonFIN, established, "FIN"},
		{event.ReasonAborted, model.Connection{}, "nothing was established"},
		{event.ReasonAborted, established, "a RST instead of a FIN"},
		{event.ReasonListenerEnd, established, "listener was closed"},
	} {
		c := tt.of
		c.Conn, c.State, c.Reason = 1, model.StateClosed, tt.reason
		in := view.Input{Snap: &model.Snapshot{Connections: []model.Connection{c}}}
		_, text := view.ExplainRecord(in, view.Key{Kind: view.ConnectionRecord, ID: 1})
		if !strings.Contains(text, tt.want) {
			t.Errorf("%s: no %q in %q", tt.reason, tt.want, text)
		}
		if before, ok := said[text]; ok {
			t.Errorf("%s and %s have the same words", tt.reason, before)
		}
		said[text] = tt.reason
	}
}
