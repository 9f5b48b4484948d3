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

// TestExactNumbers: a thread's number and a setting are shown with all of their digits.
func TestExactNumbers(t *testing.T) {
	s := viewtest.Busy()
	s.Exchanges[0].TID = model.Some[uint32](1_234_567)
	page, _ := view.PageNamed("requests")
	if row := page.Table(view.Input{Snap: s}).Layout(200, 0, 1).Row(0)[0].String(); !strings.Contains(row, " 1234567 ") {
		t.Errorf("thread 1234567 is shown as %q", row)
	}
	s.Rings[0].SQEntries = model.Some[uint32](32_768)
	d, ok := view.Open(view.Input{Snap: s}, view.Key{Kind: view.RingRecord, ID: uint64(s.Rings[0].Ring), Name: fmt.Sprint(s.Rings[0].PID)}, 100)
	if !ok || !strings.Contains(d.Lines[0].String(), "32768 submissions") {
		t.Errorf("a queue of 32768 is shown as %v", d)
	}
}

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

// TestPhaseLinks: Enter leads from each line of a phase to its events, and from no other line there.
func TestPhaseLinks(t *testing.T) {
	s := viewtest.Busy()
	x := &s.Exchanges[0]
	for _, width := range []int{80, 120} {
		d, _ := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ExchangeRecord, ID: x.Conn, Name: fmt.Sprint(x.Number)}, width)
		phases := map[view.Key]bool{}
		for i, l := range d.Lines {
			if text := l.Line.String(); strings.HasPrefix(text, "THREADS") {
				break // below the timeline
			} else if strings.HasPrefix(text, "  mark") == (l.Link.Kind == view.PhaseRecord) {
				t.Errorf("line %d at %d columns leads to %v: %s", i, width, l.Link, text)
			}
			phases[l.Link] = true
		}
		for key := range phases {
			if _, ok := view.Open(view.Input{Snap: s}, key, width); key.Kind == view.PhaseRecord && !ok {
				t.Errorf("%v does not open", key)
			}
		}
		if len(phases) != len(x.Phases)+1 {
			t.Errorf("%d phases at %d columns, want %d", len(phases)-1, width, len(x.Phases))
		}
	}
}

// TestResyncing: a connection of which bytes were missed says so, on its page and opened; one that is over does not.
func TestResyncing(t *testing.T) {
	for state, want := range map[string]bool{model.StateEstablished: true, model.StateClosed: false} {
		s := viewtest.Busy()
		s.Connections = []model.Connection{{Conn: 1, State: state, Resyncing: true}}
		page, _ := view.PageNamed("connections")
		row := page.Table(view.Input{Snap: s}).Layout(80, 0, 1).Row(0)[0].String()
		d, _ := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ConnectionRecord, ID: 1}, 80)
		var all strings.Builder
		for i := range d.Lines {
			all.WriteString(d.Lines[i].String() + "\n")
		}
		if strings.Contains(row, "resyncing") != want || strings.Contains(all.String(), "resyncing") != want {
			t.Errorf("%s: %q\n%s", state, row, all.String())
		}
	}
}
