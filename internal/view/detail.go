// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/model"
)

// Detail is what opens below a record: lines to read, some of which lead on to another record.
type Detail struct {
	Title Line
	Lines []DetailLine
}

// DetailLine is a line of a detail; Enter opens its Link, if it has one.
type DetailLine struct {
	Line
	Link Key
}

func (d *Detail) add(l Line)                  { d.Lines = append(d.Lines, DetailLine{Line: l}) }
func (d *Detail) link(l Line, to Key)         { d.Lines = append(d.Lines, DetailLine{l, to}) }
func (d *Detail) section(title string)        { d.add(nil); d.add(Styled(title, Accent)) }
func (d *Detail) fact(name string, l ...Span) { d.add(append(Line{{pad(name, factName), Dim}}, l...)) }

// factName is the width of the names of facts.
const factName = 15

// Open returns the detail of a record, or false if the snapshot does not know it any more.
func Open(in Input, key Key, width int) (*Detail, bool) {
	switch key.Kind {
	case ServiceRecord:
		return openService(in, key, width)
	case FindingRecord:
		if f := findFinding(in.Snap, key); f != nil {
			return openFinding(in, f, width), true
		}
	case WorkerRecord:
		if w := findWorker(in.Snap, key); w != nil {
			return openWorker(in, w, width), true
		}
	case LoopRecord:
		if l := findLoop(in.Snap, key); l != nil {
			return openLoop(in, l, width), true
		}
	case RingRecord:
		if r := findRing(in.Snap, key); r != nil {
			return openRing(in, r, width), true
		}
	case ExchangeRecord:
		if x := findExchange(in.Snap, key); x != nil {
			return openExchange(in, x, width), true
		}
	case PhaseRecord:
		if x, phase := findPhase(in.Snap, key); x != nil && x.Phases[phase] > 0 {
			return openPhase(in, x, phase, width), true
		}
	case LaneRecord:
		if x, l := findLane(in.Snap, key); l != nil {
			return openLane(in, x, l, width), true
		}
	case ListenerRecord:
		if l := findListener(in.Snap, key.ID); l != nil {
			return openListener(in, l, width), true
		}
	case ConnectionRecord:
		if c := findConnection(in.Snap, key.ID); c != nil {
			return openConnection(in, c, width), true
		}
		if l := findListener(in.Snap, key.ID); l != nil { // an event of a listener
			return openListener(in, l, width), true
		}
	}
	return nil, false
}

func findListener(s *model.Snapshot, cookie uint64) *model.Listener {
	for i := range s.Listeners {
		if s.Listeners[i].Conn == cookie {
			return &s.Listeners[i]
		}
	}
	return nil
}

func findConnection(s *model.Snapshot, cookie uint64) *model.Connection {
	for i := range s.Connections {
		if s.Connections[i].Conn == cookie {
			return &s.Connections[i]
		}
	}
	return nil
}

// openService lists the listeners that share the service's address.
func openService(in Input, key Key, width int) (*Detail, bool) {
	for _, s := range services(in.Snap) {
		if serviceKey(s) != key {
			continue
		}
		l := s.top()
		d := &Detail{Title: Line{{comm(l.Process) + " ", Strong}, {l.Local, Normal}, {"  " + Plural(len(s.listeners), "listener", "listeners") + " share the port", Dim}}}
		for _, text := range Wrap("With SO_REUSEPORT the kernel gives each connection to one of them, by a hash of its addresses; each has queues of its own.", width-1) {
			d.add(Plain(text))
		}
		d.section("LISTENERS")
		for _, l := range s.listeners {
			d.link(Line{{pad("pid "+pid(l.Process), factName), Strong}, {"accept queue ", Dim}, {fmt.Sprintf("%-10s", depth(l.AcceptQueue, l.Backlog, Normal)), Normal},
				{"  accepted ", Dim}, {fmt.Sprintf("%-7s", Count(l.Accepted)), Normal}, {"  wait p50 ", Dim}, {optDur(l.WaitNS.P50), Normal}}, listenerKey(l))
		}
		return d, true
	}
	return nil, false
}

// owner describes a process in one line.
func owner(p model.Process) Line {
	out := Line{{comm(p), Strong}, {"  pid " + pid(p), Normal}}
	if p.NSPID.Known {
		out = append(out, Span{fmt.Sprintf(" (%d in its container)", p.NSPID.V), Dim})
	}
	if p.Container != "" {
		out = append(out, Span{"  container " + Clean(head(p.Container, 12)), Normal})
	}
	if p.Unit != "" {
		out = append(out, Span{"  unit " + Clean(p.Unit), Normal})
	}
	return out
}

// netns names a network namespace.
func netns(n uint32) string {
	if n == 0 {
		return None
	}
	return fmt.Sprint(n)
}

// unknownFacts lists the facts that this kernel does not tell exactly; "" if there is none.
func unknownFacts(f map[string]model.Fidelity) string {
	var out []string
	for _, name := range sortedKeys(f) {
		if f[name] != model.Exact {
			out = append(out, strings.ReplaceAll(name, "_", " ")+" "+string(f[name]))
		}
	}
	return strings.Join(out, ", ")
}
