// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

// TestWaysToRing: from a finding about a ring, and from a request that it served, Enter leads to the ring.
func TestWaysToRing(t *testing.T) {
	s := viewtest.Busy()
	ring := view.Key{Kind: view.RingRecord, ID: 1, Name: "6001"}
	s.Findings = []model.Finding{{ID: "io-wq-punt", Subject: "uring 6001 ring 1", PID: model.Some[uint32](6001), Since: 1}}
	s.Exchanges = s.Exchanges[:1]
	s.Exchanges[0].PID = model.Some[uint32](6001)
	for _, page := range []string{"findings", "requests"} {
		p, err := view.PageNamed(page)
		if err != nil {
			t.Fatal(err)
		}
		in := view.Input{Snap: s}
		d, ok := view.Open(in, p.Table(in).Target(0), 100)
		if !ok || !slices.ContainsFunc(d.Lines, func(l view.DetailLine) bool { return l.Link == ring }) {
			t.Errorf("%s: no way to the ring in %v", page, d)
		}
	}
	d, ok := view.Open(view.Input{Snap: s}, ring, 100)
	if !ok || !strings.Contains(d.Title.String(), "6001 ring 1") {
		t.Errorf("the ring opens as %v", d)
	}
	x := s.Exchanges[0]
	back := view.Key{Kind: view.ExchangeRecord, ID: x.Conn, Name: fmt.Sprint(x.Number)}
	leads := func(from, to view.Key) bool {
		d, ok := view.Open(view.Input{Snap: s}, from, 100)
		return ok && slices.ContainsFunc(d.Lines, func(l view.DetailLine) bool { return l.Link == to })
	}
	if !leads(ring, back) {
		t.Errorf("no way from the ring to the request that it served")
	}
	second := s.Rings[slices.IndexFunc(s.Rings, func(r model.Ring) bool { return r.PID == 6001 && r.Ring == 1 })]
	second.Ring, second.TID = 9, model.Some[uint32](6009)
	s.Rings = append(slices.Clone(s.Rings), second)
	other := view.Key{Kind: view.RingRecord, ID: 9, Name: "6001"}
	for _, c := range []struct {
		tid   model.Opt[uint32]
		leads [2]bool // to the first and to the second ring
	}{{model.Some[uint32](6009), [2]bool{false, true}}, {model.Some[uint32](7), [2]bool{}}, {model.Opt[uint32]{}, [2]bool{}}} {
		s.Exchanges[0].TID = c.tid
		for i, key := range []view.Key{ring, other} {
			if leads(back, key) != c.leads[i] || leads(key, back) != c.leads[i] {
				t.Errorf("a request that thread %v read leads to ring %v: %v, and back: %v", c.tid, key, leads(back, key), leads(key, back))
			}
		}
	}
}

// TestRingsLately: what a ring does a second, and in which ways, is of the last seconds, not of all its life.
func TestRingsLately(t *testing.T) {
	var h view.History
	at := func(ts int64, inline, iowq uint64) *model.Snapshot {
		s := viewtest.Empty()
		s.TS = ts
		s.Rings = []model.Ring{{PID: 1, Comm: "x", Ring: 1, Opened: 1, Ops: map[string]model.RingOp{"read": {Count: inline + iowq, How: map[string]uint64{"inline": inline, "io-wq": iowq}}}}}
		return s
	}
	for i := range int64(30) {
		h.Add(at(i*1e9, 1_000_000, uint64(i)*100))
	}
	s := at(30e9, 1_000_000, 3000)
	page, _ := view.PageNamed("rings")
	table := page.Table(view.Input{Snap: s, Hist: &h})
	if row := table.Layout(200, 0, 1).Row(0)[0].String(); !strings.Contains(row, " 100 ") || !strings.Contains(row, "100 %") {
		t.Errorf("100 operations a second by workers are shown as %q", row)
	}
}

// TestRingsAccept: a service whose connections are accepted by rings says how many.
func TestRingsAccept(t *testing.T) {
	s := viewtest.Empty()
	s.Listeners = []model.Listener{{Conn: 1, Local: "[::]:80", Process: model.Process{Comm: "x"}, State: model.StateListening,
		Acceptors: []model.Acceptor{{PID: 1, TID: 3, Comm: "x", Accepts: 4}}}}
	s.Rings = []model.Ring{{PID: 1, TID: model.Some[uint32](3), Comm: "x", Ring: 1, Ops: map[string]model.RingOp{"accept": {Submitted: 1}}}}
	page, _ := view.PageNamed("overview")
	who := func() string { return page.Table(view.Input{Snap: s}).Layout(100, 0, 1).Row(0)[1].String() }
	if got := who(); !strings.Contains(got, "1 ring ") {
		t.Errorf("a service with a ring says %q", got)
	}
	s.Rings[0].TID = model.Some[uint32](4)
	if got := who(); !strings.Contains(got, "1 acceptor ") {
		t.Errorf("a service whose acceptor is another thread than its ring's says %q", got)
	}
}
