// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bufio"
	"fmt"
	"io"

	"beltrace/collector/model"
)

// reportWidth is how wide the sentences of a report become: longer lines are hard to read.
const reportWidth = 100

// Report writes what was found, why and what to change, and then the tables: for a person who reads a file.
func Report(w io.Writer, s *model.Snapshot) error {
	b := bufio.NewWriter(w)
	in := Input{Snap: s}
	writeLine(b, append(HeaderLeft(s, "report", 0), Span{Text: "  lost " + Count(Lost(s))}))
	writeLine(b, reportTime(in))
	if lost := LostText(s); lost != "" {
		writeLine(b, Plain("lost: "+lost))
	}
	if line := RequestsLine(in, 0); line != nil {
		writeLine(b, line)
	}
	writeLine(b, TotalsLine(in, 0))
	writeFindings(b, in)
	fmt.Fprintln(b)
	writePage(b, in, "listeners")
	if rows := allRefused(in); len(rows) > 0 {
		fmt.Fprintln(b)
		writeTable(b, &Page{Title: "Refused", One: "with refusals", Many: "with refusals"}, refusedSheet.table(in, rows), s)
	}
	if rows := acceptors(s); len(rows) > 0 {
		fmt.Fprintln(b)
		writeTable(b, &Page{Title: "Acceptors", One: "acceptor", Many: "acceptors"}, acceptorSheet.table(in, rows), s)
		for i := range s.Listeners {
			if l := &s.Listeners[i]; l.OtherAcceptors.Threads > 0 {
				writeLine(b, Plain(Clean(l.Local)+" has "+otherAcceptors(l)))
			}
		}
	}
	if len(s.Namespaces) > 0 {
		fmt.Fprintln(b)
		writeTable(b, &Page{Title: "Namespaces", One: "namespace", Many: "namespaces"}, spaceSheet.table(in, pointers(s.Namespaces)), s)
	}
	fmt.Fprintln(b)
	writePage(b, in, "connections")
	writeRoutes(b, in)
	return b.Flush()
}

// reportTime says what time the report is about.
func reportTime(in Input) Line {
	s := in.Snap
	return Line{{"from " + in.clock().Time(s.Start) + " for " + Dur(s.TS-s.Start) + ", " + Count(s.EventsTotal) + " events", Dim}}
}

func writePage(b *bufio.Writer, in Input, name string) {
	page, _ := PageNamed(name)
	in.Sort = page.Order
	writeTable(b, page, page.Table(in), in.Snap)
}

func writeFindings(b *bufio.Writer, in Input) {
	fmt.Fprintln(b, "\nFINDINGS")
	if len(in.Snap.Findings) == 0 {
		fmt.Fprintln(b, "none: nothing that the rules know of went wrong")
	}
	for i := range in.Snap.Findings {
		f := &in.Snap.Findings[i]
		if i > 0 {
			fmt.Fprintln(b)
		}
		writeLine(b, Line{{severityMark(f) + " " + pad(Clean(f.ID), 24) + " " + Clean(f.Subject) + "  " + Clean(f.Severity) + ", " + findingWhen(in, f), Normal}})
		for _, part := range []struct{ name, text string }{{"", f.Text}, {"kernel", f.Mechanism}, {"change", f.Remedy}} {
			for j, line := range Wrap(Clean(part.text), reportWidth-11) {
				if j > 0 {
					part.name = ""
				}
				writeLine(b, Plain("   "+pad(part.name, 8)+line))
			}
		}
	}
}

// acceptor is a thread that accepts, with its listener.
type acceptor struct {
	l *model.Listener
	a *model.Acceptor
}

func acceptors(s *model.Snapshot) (out []acceptor) {
	for i := range s.Listeners {
		l := &s.Listeners[i]
		for k := range l.Acceptors {
			out = append(out, acceptor{l, &l.Acceptors[k]})
		}
	}
	return out
}

// acceptorSheet and spaceSheet are tables of reports only.
var acceptorSheet = sheet[acceptor]{
	key:    func(r acceptor) Key { return Key{Name: fmt.Sprint(r.l.Conn, " ", r.a.TID)} },
	target: func(r acceptor) Key { return listenerKey(r.l) },
	columns: []column[acceptor]{
		{Head: Head{Title: "LISTENER", Min: 10, Max: 40, Cut: CutMiddle}, cell: func(in Input, r acceptor) Cell { return listenerName(in, r.l) }},
		{Head: Head{Title: "THREAD", Min: 8, Max: 18}, cell: func(_ Input, r acceptor) Cell { return Plain(Clean(r.a.Comm)) }},
		{Head: Head{Title: "TID", Min: 7, Max: 7, Align: Right}, cell: func(_ Input, r acceptor) Cell { return Plain(fmt.Sprint(r.a.TID)) }},
		{Head: Head{Title: "ACCEPTS", Min: 7, Max: 8, Align: Right}, cell: func(_ Input, r acceptor) Cell { return Plain(Count(r.a.Accepts)) }},
		{Head: Head{Title: "FAILED", Min: 6, Max: 50}, cell: func(_ Input, r acceptor) Cell { return Plain(orDash(errorsText(r.a))) }},
		{Head: Head{Title: "BETWEEN ACCEPTS", Min: 15, Max: 100}, cell: func(_ Input, r acceptor) Cell { return Plain(orDash(between(r.a))) }},
	},
}

func orDash(text string) string {
	if text == "" {
		return None
	}
	return text
}

var spaceSheet = sheet[*model.Namespace]{
	key:    func(n *model.Namespace) Key { return Key{ID: uint64(n.NetNS)} },
	target: func(n *model.Namespace) Key { return Key{} },
	columns: []column[*model.Namespace]{
		{Head: Head{Title: "NETNS", Min: 10, Max: 10, Align: Right}, cell: func(_ Input, n *model.Namespace) Cell { return Plain(netns(n.NetNS)) }},
		spaceColumn("REFUSED", func(n *model.Namespace) model.Opt[uint64] { return n.ListenDrops }),
		spaceColumn("ACCEPT Q FULL", func(n *model.Namespace) model.Opt[uint64] { return n.ListenOverflows }),
		spaceColumn("SYN Q FULL", func(n *model.Namespace) model.Opt[uint64] { return n.ReqQFullDrop }),
		spaceColumn("COOKIES SENT", func(n *model.Namespace) model.Opt[uint64] { return n.SyncookiesSent }),
		spaceColumn("BACK", func(n *model.Namespace) model.Opt[uint64] { return n.SyncookiesRecv }),
		spaceColumn("somaxconn", func(n *model.Namespace) model.Opt[uint64] { return n.SomaxConn }),
		spaceColumn("max_syn_backlog", func(n *model.Namespace) model.Opt[uint64] { return n.MaxSYNBacklog }),
		spaceColumn("syncookies", func(n *model.Namespace) model.Opt[uint64] { return n.SYNCookies }),
		spaceColumn("abort_on_overflow", func(n *model.Namespace) model.Opt[uint64] { return n.AbortOnOverflow }),
	},
}

func spaceColumn(title string, of func(*model.Namespace) model.Opt[uint64]) column[*model.Namespace] {
	return column[*model.Namespace]{Head: Head{Title: title, Min: 4, Max: 10, Align: Right}, cell: func(_ Input, n *model.Namespace) Cell { return Plain(optCount(of(n))) }}
}
