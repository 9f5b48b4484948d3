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

// TestBetweenAccepts: how long a thread spends in what is told of the time while connections wait; else only in what it spends
// its time: all of it, through the number of its accepts, is no time between two of them.
func TestBetweenAccepts(t *testing.T) {
	all := model.Times{WatchedNS: 10e9, RunningNS: 2e9, BlockedNS: map[string]int64{"accept4": 8e9}}
	busy := model.Pace{Times: model.Times{WatchedNS: 1e9, RunningNS: 25e7, BlockedNS: map[string]int64{"futex": 75e7}}, Gaps: 50}
	for _, c := range []struct {
		a    model.Acceptor
		want string
	}{
		{model.Acceptor{Accepts: 100, Between: model.Some(all)}, "between accepts: accept4 (80 %), running (20 %)"},
		{model.Acceptor{Accepts: 100, Between: model.Some(all), Pace: busy}, "between accepts: futex 15 ms (75 %), running 5.0 ms (25 %)"},
		{model.Acceptor{Accepts: 100}, ""},
	} {
		s := viewtest.Empty()
		s.Listeners = []model.Listener{{Conn: 1, Local: "[::]:80", State: model.StateListening, Acceptors: []model.Acceptor{c.a}}}
		d, _ := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ListenerRecord, ID: 1}, 100)
		got := ""
		for _, l := range d.Lines {
			if strings.Contains(l.String(), "between accepts") {
				got = strings.TrimSpace(l.String())
			}
		}
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
