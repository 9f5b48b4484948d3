// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"beltrace/collector/model"
)

// Page is one page of the dashboard: a table, and lines that stand below it.
type Page struct {
	Number int    // its key
	Name   string // in flags and lessons
	Title  string
	Short  string // title where there is little room; "": the same
	One    string // what a row is
	Many   string
	Order  Sort // until the user chooses another
	Table  func(Input) *Table
	Foot   func(in Input, width, height int) []Line // for a page of that size; nil: none
	// Needs are the sets of probes that must be attached while the page is shown, OpenNeeds while one of its records is
	// open: what they tell is only told while somebody looks.
	Needs, OpenNeeds []string
	Empty            string                      // what to do when there is no record at all
	Evicted          func(*model.Evicted) uint64 // how many have left the memory budget; nil: none ever does
}

// Size says how many records there are, and how many there were.
func (p *Page) Size(t *Table, s *model.Snapshot) string {
	return Plural(t.Total, p.One, p.Many) + p.gone(s, ", and ")
}

// gone says, after such a word, how many records have left the memory budget, if any have.
func (p *Page) gone(s *model.Snapshot, after string) string {
	if p.Evicted == nil || p.Evicted(&s.Evicted) == 0 {
		return ""
	}
	return after + Plural(int(p.Evicted(&s.Evicted)), "older one that ended is", "older ones that ended are") + " no longer kept"
}

// Pages returns the pages in the order of their numbers. A page that is not in this list does not exist: to add one,
// add it here.
func Pages() []Page {
	return []Page{
		{Number: 1, Name: "overview", Title: "Overview", One: "service", Many: "services", Needs: []string{"data", "sched"},
			Table: func(in Input) *Table { return serviceSheet.table(in, services(in.Snap)) }, Foot: overviewFoot,
			Empty: "nobody listens yet: start a server; page 3 has the connections of clients"},
		{Number: 2, Name: "listeners", Title: "Listeners", Short: "Listen", One: "listener", Many: "listeners", Order: Sort{Column: "ACCEPT Q"}, OpenNeeds: []string{"sched"},
			Table: func(in Input) *Table { return listenerSheet.table(in, pointers(in.Snap.Listeners)) },
			Empty: "no listener yet: start a server", Evicted: func(e *model.Evicted) uint64 { return e.Listeners }},
		{Number: 3, Name: "connections", Title: "Connections", Short: "Conns", One: "connection", Many: "connections", Order: Sort{Column: "STATE"},
			Table: func(in Input) *Table { return connectionSheet.table(in, pointers(in.Snap.Connections)) },
			Empty: "no connection yet: let a client connect", Evicted: func(e *model.Evicted) uint64 { return e.Connections }},
		{Number: 4, Name: "requests", Title: "Requests", Short: "Reqs", One: "request", Many: "requests", Order: Sort{Column: "TIME"}, Needs: []string{"data", "sched"},
			Table: func(in Input) *Table { return requestSheet.table(in, pointers(in.Snap.Exchanges)) }, Foot: requestsFoot,
			Empty: "no request yet: send one to a server"},
		{Number: 5, Name: "loops", Title: "Event loops", Short: "Loops", One: "event loop", Many: "event loops", Order: Sort{Column: "WAITS/s"}, Needs: []string{"loops", "sched"}, OpenNeeds: []string{"ready"},
			Table: func(in Input) *Table { return loopSheet.table(in, loopRows(in)) }, Foot: loopsFoot,
			Empty: "no event loop yet: start a server that waits in epoll, poll or select; its loops appear here within seconds"},
		{Number: 6, Name: "rings", Title: "io_uring", Short: "Rings", One: "ring", Many: "rings", Order: Sort{Column: "OPS/s"}, Needs: []string{"rings"},
			Table: func(in Input) *Table { return ringSheet.table(in, ringRows(in)) },
			Empty: "no process has a ring (io_uring): most servers use epoll, which is page 5; try beltrace demo io-uring", Evicted: func(e *model.Evicted) uint64 { return e.Rings }},
		{Number: 7, Name: "workers", Title: "Workers", One: "thread", Many: "threads", Order: Sort{Column: "ACCEPTS"}, Needs: []string{"sched", "data"},
			Table: func(in Input) *Table { return workerSheet.table(in, workRows(in)) }, Foot: workersFoot,
			Empty: "no thread is watched yet: start a server; its threads appear here within seconds"},
		{Number: 8, Name: "findings", Title: "Findings", Short: "Finds", One: "finding", Many: "findings", Order: Sort{Column: "SEVERITY"},
			Table: func(in Input) *Table { return findingSheet.table(in, pointers(in.Snap.Findings)) },
			Empty: "nothing wrong found: a finding appears as soon as its evidence is complete"},
		{Number: 9, Name: "events", Title: "Events", Short: "Evs", One: "event", Many: "events", Order: Sort{Column: "TIME"},
			Table: func(in Input) *Table { return eventSheet.table(in, newestFirst(in.Snap.Events)) },
			Empty: "no event yet: let a client connect"},
	}
}

// PageNamed returns the page of that name.
func PageNamed(name string) (*Page, error) {
	for _, p := range Pages() {
		if p.Name == name {
			return &p, nil
		}
	}
	return nil, fmt.Errorf("no page named %q", name)
}
