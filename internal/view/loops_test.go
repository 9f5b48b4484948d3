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

// links returns what a record's detail leads to.
func links(t *testing.T, s *model.Snapshot, key view.Key) (out []view.Key) {
	t.Helper()
	d, ok := view.Open(view.Input{Snap: s}, key, 100)
	if !ok {
		t.Fatalf("%v does not open", key)
	}
	for _, l := range d.Lines {
		if l.Link != (view.Key{}) {
			out = append(out, l.Link)
		}
	}
	return out
}

// TestLoopLinks: from a request, and from a finding, to the loop, and from there back to the request.
func TestLoopLinks(t *testing.T) {
	s := viewtest.Busy()
	s.Findings = []model.Finding{{ID: "blocked-loop", Severity: model.Warning, Subject: "api 4711/4712 epfd 5", Text: "it slept", PID: model.Some[uint32](4711)}}
	loop := view.Key{Kind: view.LoopRecord, ID: 4712, Name: "4711 epfd 5"}
	requests, _ := view.PageNamed("requests")
	request := requests.Table(view.Input{Snap: s, Sort: requests.Order}).Keys[0]
	if !slices.Contains(links(t, s, request), loop) {
		t.Errorf("no way from a request to its loop: %v", links(t, s, request))
	}
	if !slices.Contains(links(t, s, loop), request) {
		t.Errorf("no way from a loop to a request that it served: %v", links(t, s, loop))
	}
	findings, _ := view.PageNamed("findings")
	if finding := findings.Table(view.Input{Snap: s}).Keys[0]; !slices.Contains(links(t, s, finding), loop) {
		t.Errorf("no way from a finding to its loop: %v", links(t, s, finding))
	}
	own := view.Key{Kind: view.LoopRecord, ID: 5133, Name: "5120 epfd 20"}
	if slices.ContainsFunc(links(t, s, own), func(k view.Key) bool { return k.Kind == view.ExchangeRecord }) {
		t.Error("a runtime's own loop serves requests")
	}
}

// TestLoopDescriptors: which sockets were ready, and how many requests came by each.
func TestLoopDescriptors(t *testing.T) {
	s := viewtest.Busy()
	c := &s.Connections[0]
	c.PID, c.FD, c.State, c.Exchanges = model.Some[uint32](812), model.Some[int32](11), "established", model.Some[uint64](12)
	d, ok := view.Open(view.Input{Snap: s}, view.Key{Kind: view.LoopRecord, ID: 812, Name: "812 epfd 7"}, 100)
	if !ok {
		t.Fatal("the loop does not open")
	}
	for _, l := range d.Lines {
		if l.Link == (view.Key{Kind: view.ConnectionRecord, ID: c.Conn}) {
			if text := l.Line.String(); !strings.HasPrefix(text, "fd 11") || !strings.HasSuffix(text, "  12 requests") {
				t.Errorf("the line of its descriptor is %q", text)
			}
			return
		}
	}
	t.Error("no line leads to the connection")
}

// TestLoopsLately: rates and shares are those of the last seconds; a loop that has ended long ago is not shown.
func TestLoopsLately(t *testing.T) {
	const sec = int64(1e9)
	h := new(view.History)
	at := func(n int64, waits uint64, busy int64) *model.Snapshot {
		s := viewtest.Empty()
		s.TS += n * sec
		s.Loops = []model.Loop{{PID: 1, TID: 1, Comm: "api", Kind: "epoll", EpFD: model.Some[int32](4), Waits: waits, Blocked: (n+1)*sec - busy, Busy: busy},
			{PID: 2, TID: 2, Comm: "gone", Kind: "epoll", State: model.StateClosed, Ended: model.Some(s.TS - 60*sec)}}
		return s
	}
	shown := func(s *model.Snapshot) []string {
		page, _ := view.PageNamed("loops")
		table := page.Table(view.Input{Snap: s, Hist: h, Sort: page.Order})
		var rows []string
		for row := range table.Keys {
			rows = append(rows, table.Layout(120, 0, len(table.Keys)).Row(row)[0].String())
		}
		return rows
	}
	for n := range int64(30) {
		h.Add(at(n, 1000, 0))
	}
	rows := shown(at(30, 1110, sec))
	if len(rows) != 1 || !strings.Contains(rows[0], " 10 ") || !strings.Contains(rows[0], "9.1 %") {
		t.Errorf("110 waits and a second of work in eleven seconds, and one loop that has ended: %q", rows)
	}
	if rows := shown(at(30, 5, 31*sec)); !strings.Contains(rows[0], "100 %") {
		t.Errorf("watched anew: %q", rows)
	}
}

// TestLoopReadied: how often each descriptor was ready; none of what is not known is said to be nothing.
func TestLoopReadied(t *testing.T) {
	for _, c := range []struct {
		know func(l *model.Loop)
		want [4]string // epoll_ctl, fd 6, 11, 12
	}{
		{func(*model.Loop) {}, [4]string{"1204 added, 0 changed, 3 removed", " 1, 9.0 s ago", " 40.2k, 2.0 ms ago", " never"}},
		{func(l *model.Loop) { l.ReadiedAll = false }, [4]string{"3 removed", " 1, 9.0 s ago", " 40.2k, 2.0 ms ago", " –"}},
		{func(l *model.Loop) {
			l.Readied, l.Added, l.Modified, l.Removed = model.Opt[[]model.ReadyFD]{}, model.Opt[uint64]{}, model.Opt[uint64]{}, model.Opt[uint64]{}
		}, [4]string{"– added, – changed, – removed", " –", " –", " –"}},
	} {
		s := viewtest.Busy()
		i := slices.IndexFunc(s.Loops, func(l model.Loop) bool { return l.PID == 812 })
		c.know(&s.Loops[i])
		d, ok := view.Open(view.Input{Snap: s}, view.Key{Kind: view.LoopRecord, ID: 812, Name: "812 epfd 7"}, 100)
		if !ok {
			t.Fatal("the loop does not open")
		}
		for j, at := range []string{"epoll_ctl", "fd 6", "fd 11", "fd 12"} {
			k := slices.IndexFunc(d.Lines, func(l view.DetailLine) bool { return strings.HasPrefix(l.Line.String(), at+" ") })
			if k < 0 || !strings.Contains(d.Lines[k].Line.String(), c.want[j]) {
				t.Errorf("%s: want %q in line %d of\n%v", at, c.want[j], k, d.Lines)
			}
		}
	}
}

// TestLoopRate: one wait in a microsecond is no million in a second.
func TestLoopRate(t *testing.T) {
	s := viewtest.Empty()
	s.Loops = []model.Loop{{PID: 1, TID: 1, Comm: "x", Kind: "epoll", Waits: 1, Blocked: 651}}
	page, _ := view.PageNamed("loops")
	if row := page.Table(view.Input{Snap: s}).Layout(80, 0, 1).Row(0)[0].String(); !strings.Contains(row, " 1 ") || strings.Contains(row, "M") {
		t.Errorf("one wait is shown as %q", row)
	}
}
