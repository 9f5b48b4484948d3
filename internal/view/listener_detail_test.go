// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"slices"
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

// TestListenerFindings: what is wrong now is said first, what has ended last: whoever waits now must not be pushed off the screen.
func TestListenerFindings(t *testing.T) {
	s := viewtest.Empty()
	s.Listeners = []model.Listener{{Conn: 1, Local: "[::]:80", State: model.StateListening}}
	for i, id := range []string{"now-one", "over-one", "over-two"} {
		f := model.Finding{ID: id, Severity: model.Warning, Text: "something", Listener: model.Some[uint64](1), Since: int64(i)}
		if i > 0 {
			f.Until = model.Some[int64](10)
		}
		s.Findings = append(s.Findings, f)
	}
	s.Findings = append(s.Findings, model.Finding{ID: "of-another", Listener: model.Some[uint64](2)})
	d, _ := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ListenerRecord, ID: 1}, 100)
	var order []string
	for _, l := range d.Lines {
		for _, word := range []string{"now-one", "process", "WAITING NOW", "over-one", "over-two", "of-another"} {
			if strings.Contains(l.String(), word) {
				order = append(order, word)
			}
		}
	}
	if want := []string{"now-one", "process", "WAITING NOW", "over-one", "over-two"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
}

// TestWaitingNow: the list is bounded, and of one that waited when the watch began only the least is known.
func TestWaitingNow(t *testing.T) {
	s := viewtest.Empty()
	l := model.Listener{Conn: 1, Local: "[::]:80", State: model.StateListening, AcceptQueue: model.Some[uint32](400)}
	for i := range 256 {
		l.Waiting = append(l.Waiting, model.Waiting{Conn: uint64(i + 10), Remote: "10.0.0.2:5001", Since: viewtest.Now - 10e9, PreExisting: i == 0})
	}
	s.Listeners = []model.Listener{l}
	d, _ := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ListenerRecord, ID: 1}, 100)
	var all []string
	for _, l := range d.Lines {
		all = append(all, strings.TrimSpace(l.String()))
	}
	i := slices.Index(all, "WAITING NOW  400, the oldest for more than 10 s")
	if i < 0 || all[i+1] != ">10 s  10.0.0.2:5001" || all[i+2] != "10 s  10.0.0.2:5001" || !slices.Contains(all, "and 388 more: page 3, filter state:accept_queue") {
		t.Errorf("%s", strings.Join(all, "\n"))
	}
}

// TestRefusedByName: what has no reason of its own goes by the kernel's name for it, at the listener and at its namespace.
func TestRefusedByName(t *testing.T) {
	s := viewtest.Empty()
	s.Listeners = []model.Listener{{Conn: 1, Local: "[::]:80", NetNS: 7, State: model.StateListening, Drops: model.Some[uint64](0),
		SYNDrops: map[string]uint64{"syn_queue_full": 4, "other": 21}, DropReasons: map[string]uint64{"NETFILTER_DROP": 18}}}
	s.Namespaces = []model.Namespace{{NetNS: 7, Unplaced: map[string]uint64{"other": 4}, UnplacedReasons: map[string]uint64{"IP_RPFILTER": 4}}}
	d, _ := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ListenerRecord, ID: 1}, 160)
	var all []string
	for _, l := range d.Lines {
		all = append(all, l.String())
	}
	for _, want := range []string{
		"refused        25  18 NETFILTER_DROP, 3 other, 4 syn queue full",
		"not placed     4 IP_RPFILTER  refused, it is not known at which listener",
	} {
		if !slices.Contains(all, want) {
			t.Errorf("no line %q in\n%s", want, strings.Join(all, "\n"))
		}
	}
}
