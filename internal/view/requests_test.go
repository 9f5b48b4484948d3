// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"fmt"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

// TestAcknowledged: over loopback the acknowledgement is often there before the write returns: that is not "0 ns later".
func TestAcknowledged(t *testing.T) {
	for _, tt := range []struct {
		ack  model.Opt[int64]
		want string
	}{{model.Opt[int64]{}, "acknowledged " + view.None}, {model.Some[int64](0), "acknowledged at once"}, {model.Some[int64](40e6), "acknowledged 40 ms later"}} {
		s := viewtest.Busy()
		s.Exchanges[0].AckNS = tt.ack
		x := &s.Exchanges[0]
		d, ok := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ExchangeRecord, ID: x.Conn, Name: fmt.Sprint(x.Number)}, 120)
		if !ok {
			t.Fatal("the request does not open")
		}
		found := false
		for i := range d.Lines {
			found = found || strings.HasSuffix(strings.TrimSpace(d.Lines[i].String()), tt.want)
		}
		if !found {
			t.Errorf("%v: no line ends in %q", tt.ack, tt.want)
		}
	}
}
