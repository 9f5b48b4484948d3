// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"errors"
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

func TestPagesAreComplete(t *testing.T) {
	in := view.Input{Snap: viewtest.Busy(), Hist: new(view.History)}
	last := 0
	for _, p := range view.Pages() {
		if p.Number <= last || p.Name == "" || p.Title == "" || p.One == "" || p.Many == "" || p.Empty == "" {
			t.Errorf("page %+v lacks something, or is not in order", p)
		}
		last = p.Number
		in.Sort = p.Order
		table := p.Table(in)
		sortable := p.Order.Column == ""
		for _, h := range table.Heads {
			if h.Explain == "" {
				t.Errorf("%s: column %s has no explanation", p.Name, h.Title)
			}
			sortable = sortable || h.Sortable && h.Title == p.Order.Column
		}
		if !sortable {
			t.Errorf("%s: its order %q is no column", p.Name, p.Order.Column)
		}
	}
}

// TestSortsByEveryColumn checks that both directions hold the same records, and that unknown values come last.
func TestSortsByEveryColumn(t *testing.T) {
	for _, p := range view.Pages() {
		in := view.Input{Snap: viewtest.Busy()}
		n := len(p.Table(in).Keys)
		for _, h := range p.Table(in).Heads {
			if !h.Sortable {
				continue
			}
			in.Sort = view.Sort{Column: h.Title}
			seen := map[view.Key]bool{}
			for _, k := range p.Table(in).Keys {
				seen[k] = true
			}
			in.Sort.Reverse = true
			for _, k := range p.Table(in).Keys {
				delete(seen, k)
			}
			if len(seen) != 0 || len(p.Table(in).Keys) != n {
				t.Errorf("%s by %s: records differ between the directions", p.Name, h.Title)
			}
		}
	}
}

func TestUnknownSortsLast(t *testing.T) {
	p, err := view.PageNamed("connections")
	if err != nil {
		t.Fatal(err)
	}
	in := view.Input{Snap: viewtest.Busy(), Sort: view.Sort{Column: "RTT"}}
	keys := p.Table(in).Keys
	if first, last := keys[0].ID, keys[len(keys)-1].ID; first < 0x1000 || first >= 0x1100 || last == first {
		t.Errorf("first %x, last %x", first, last)
	}
	if in.Snap.Connections[0].RTTNS.Known == false {
		t.Fatal("the fixture has changed")
	}
}

func TestLayoutFitsEveryWidth(t *testing.T) {
	for _, p := range view.Pages() {
		in := view.Input{Snap: viewtest.Busy(), Sort: p.Order}
		table := p.Table(in)
		for width := 79; width < 260; width++ {
			l := table.Layout(width, 0, 20)
			if got := l.Header(-1).Width(); got > width {
				t.Fatalf("%s: header of %d cells in %d", p.Name, got, width)
			}
			for row := range min(20, len(table.Keys)) {
				for _, line := range l.Row(row) {
					if line.Width() > width {
						t.Fatalf("%s: row of %d cells in %d: %q", p.Name, line.Width(), width, line)
					}
				}
			}
		}
	}
}

func TestWiderNeverShowsLess(t *testing.T) {
	for _, p := range view.Pages() {
		table := p.Table(view.Input{Snap: viewtest.Busy(), Sort: p.Order})
		before := map[int]bool{}
		for width := 79; width < 260; width++ {
			now := map[int]bool{}
			for _, col := range table.Layout(width, 0, 20).Columns {
				now[col] = true
			}
			for col := range before {
				if !now[col] {
					t.Fatalf("%s: column %s is gone at width %d", p.Name, table.Heads[col].Title, width)
				}
			}
			before = now
		}
	}
}

func TestOpenEveryRecord(t *testing.T) {
	in := view.Input{Snap: viewtest.Busy(), Hist: new(view.History)}
	for _, p := range view.Pages() {
		table := p.Table(in)
		for row := range table.Keys {
			if title, text := view.ExplainRecord(in, table.Keys[row]); title == "" || text == "" {
				t.Errorf("%s: no explanation of %v", p.Name, table.Keys[row])
			}
			key := table.Target(row)
			d, ok := view.Open(in, key, 80)
			if !ok && p.Name == "events" && key.ID == 0 {
				continue // the event of a loss has no connection
			}
			if !ok || len(d.Lines) == 0 {
				t.Fatalf("%s: %v does not open", p.Name, key)
			}
			for _, l := range d.Lines {
				if strings.ContainsFunc(l.String(), func(r rune) bool { return r < ' ' }) {
					t.Errorf("control character in %q", l)
				}
			}
		}
	}
	if _, ok := view.Open(in, view.Key{Kind: view.ConnectionRecord, ID: 42}, 80); ok {
		t.Error("a connection opens that nobody knows")
	}
}

func TestEveryKindIsExplained(t *testing.T) {
	for _, k := range event.Kinds() {
		if _, text := view.ExplainRecord(view.Input{Snap: viewtest.Empty()}, view.Key{Kind: view.EventRecord, Name: k.String() + " 1 2"}); text == "" {
			t.Errorf("event %s has no explanation", k)
		}
	}
}

func TestProblems(t *testing.T) {
	full := model.Finding{ID: "accept-queue-full", Severity: model.Critical, Subject: "api :80", Text: "it is full", Listener: model.Some[uint64](1)}
	slow := model.Finding{ID: "slow-acceptor", Severity: model.Warning, Subject: "api :80", Text: "it is slow", Listener: model.Some[uint64](1)}
	note := model.Finding{ID: "syn-cookies", Severity: model.Note, Subject: "web :81", Text: "cookies", Listener: model.Some[uint64](2)}
	space := model.Finding{ID: "syn-queue-full", Severity: model.Critical, Subject: "network namespace 7", Text: "some queue"}
	was := full
	was.Until = model.Some[int64](3)
	other := full
	other.Listener, other.Subject = model.Some[uint64](2), "a\x1b[31m :81"
	for name, c := range map[string]struct {
		findings []model.Finding
		filter   string
		want     string
	}{
		"none":                            {nil, "", ""},
		"the worst of each listener":      {[]model.Finding{full, slow, other}, "", "! api :80  it is full\n! a?[31m :81  it is full"},
		"a note is no problem":            {[]model.Finding{note}, "", ""},
		"what has ended is none":          {[]model.Finding{was}, "", ""},
		"after an end the next is told":   {[]model.Finding{slow, was}, "", "! api :80  it is slow"},
		"namespaces have no listener":     {[]model.Finding{space, space}, "", "! network namespace 7  some queue\n! network namespace 7  some queue"},
		"a filter looks at the listener":  {[]model.Finding{full, other}, "port:81", "! a?[31m :81  it is full"},
		"a filter may leave nothing over": {[]model.Finding{full}, "port:99", ""},
	} {
		s := viewtest.Empty()
		s.Listeners = []model.Listener{{Conn: 1, Local: "[::]:80"}, {Conn: 2, Local: "[::]:81"}}
		s.Findings = c.findings
		f, err := view.ParseFilter(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range view.Problems(view.Input{Snap: s, Filter: f}) {
			got = append(got, p.Line().String())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHistory(t *testing.T) {
	h := new(view.History)
	s := viewtest.Empty()
	s.Listeners = []model.Listener{{Conn: 1, State: model.StateListening}}
	at := func(sec, refused int) *model.Snapshot {
		n := *s
		n.TS += int64(sec) * 1e9
		n.ConnsPerSec = float64(sec)
		n.Listeners = []model.Listener{{Conn: 1, State: model.StateListening, Overflows: model.Some(uint64(refused))}}
		return &n
	}
	for sec := range 100 {
		h.Add(at(sec, 5*sec))
		h.Add(at(sec, 5*sec)) // within the same second
	}
	if got := h.ConnsPerSec(); len(got) != 60 || got[0] != 40 || got[59] != 99 {
		t.Errorf("remembers %d seconds: %v", len(got), got)
	}
	last := at(99, 5*99)
	if got := h.RefusedIn(&last.Listeners[0]); got != 45 {
		t.Errorf("refused %d in the last ten points, want 45", got)
	}
	h.Add(at(0, 0)) // a replay that begins again
	if got := h.ConnsPerSec(); len(got) != 1 {
		t.Errorf("remembers %v of another run", got)
	}
}

// TestRunningWaitFits: a wait that goes on has its unit in the narrowest column, too.
func TestRunningWaitFits(t *testing.T) {
	for _, p := range view.Pages() {
		for _, h := range p.Table(view.Input{Snap: viewtest.Busy(), Sort: p.Order}).Heads {
			if text := view.Dur(978_000_000) + "…"; h.Title == "WAIT" && view.Width(text) > h.Min {
				t.Errorf("%s: %q is cut off in %d cells", p.Name, text, h.Min)
			}
		}
	}
}

// TestEvicted: what has left the memory budget is counted where the others are listed.
func TestEvicted(t *testing.T) {
	s := &model.Snapshot{Connections: make([]model.Connection, 5), Evicted: model.Evicted{Connections: 25, Listeners: 1}}
	for name, want := range map[string]string{
		"connections": "5 connections, and 25 older ones that ended are no longer kept",
		"listeners":   "0 listeners, and 1 older one that ended is no longer kept",
		"rings":       "0 rings",
		"events":      "0 events",
	} {
		p, err := view.PageNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Size(p.Table(view.Input{Snap: s}), s); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	var text, object strings.Builder
	if err := errors.Join(view.Text(&text, s), view.JSON(&object, s)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "\n… and 25 older ones that ended are no longer kept\n") || !strings.Contains(object.String(), `"evicted":{"connections":25,"listeners":1}`) {
		t.Errorf("%s\n%s", text.String(), object.String())
	}
}
