// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"beltrace/collector/model"
)

// doing names what a thread does, and has the character that its lane is drawn with.
var doing = [...]struct {
	char rune
	name string
}{
	Unseen: {'?', "unseen"}, Running: {'▇', "running"}, Others: {'─', "other work"}, Queued: {'▒', "run queue"},
	Either: {'▅', "running or not"}, Blocked: {'·', "blocked"},
}

// text says what the thread does in a part of its lane.
func (p *LanePart) text() string {
	if p.Does == Blocked && p.On != "" {
		return "blocked " + Clean(p.On)
	}
	return doing[p.Does].name
}

// laneSection draws what each thread did, below the phases and by the same scale.
func laneSection(d *Detail, x *model.Exchange, width int) {
	all := Lanes(x)
	if len(all) == 0 {
		d.add(Line{{pad("THREADS", rulerName), Accent}, {"what they did was not watched", Dim}})
		return
	}
	r := rulerOf(x, width)
	line := Line{{pad("THREADS", rulerName), Accent}, {fmt.Sprintf("%*s  ", rulerNumber, "running"), Accent}}
	for _, text := range Wrap(legend(all), width-1-rulerName-rulerNumber-2) {
		d.add(append(line, Span{text, Dim}))
		line = Line{{Text: strings.Repeat(" ", rulerName+rulerNumber+2)}}
	}
	for _, l := range all {
		r.add(d, l.name(), optDur(l.RunningNS), r.lane(x, l), Normal, l.words(x.SeenNS()/1000), laneKey(x, l))
	}
}

// legend explains the characters of some lanes.
func legend(all []*Lane) string {
	var out []string
	for does := Running; int(does) <= len(doing); does++ {
		does := does % Doing(len(doing)) // what was not seen comes last
		if slices.ContainsFunc(all, func(l *Lane) bool { return l.does(does) }) {
			out = append(out, string(doing[does].char)+" "+doing[does].name)
		}
	}
	return strings.Join(out, "  ")
}

func (l *Lane) does(what Doing) bool {
	return slices.ContainsFunc(l.Parts, func(p LanePart) bool { return p.Does == what })
}

// name is the thread and its part in the request.
func (l *Lane) name() string { return fmt.Sprintf("tid %d %s", l.TID, l.part()) }

func (l *Lane) part() string {
	switch {
	case l.Read && l.Wrote:
		return "read, wrote"
	case l.Wrote:
		return "wrote"
	}
	return "read"
}

// words sum up what the thread did, as far as it took a time worth mention, ns.
func (l *Lane) words(least int64) string {
	var names []string
	sums := map[string]int64{}
	for _, p := range l.Parts {
		name := p.text()
		if p.Does == Running || p.Does == Either && l.RunningNS.Known {
			continue // the number says it
		}
		if _, ok := sums[name]; !ok {
			names = append(names, name)
		}
		sums[name] += p.To - p.From
	}
	var out []string
	for _, name := range names {
		if sums[name] >= least {
			out = append(out, name+" "+Dur(sums[name]))
		}
	}
	return strings.Join(out, ", ")
}

// lane draws a thread's lane: in each cell what it did for most of that time. What it was blocked in stands in its place, if
// there is room.
func (r ruler) lane(x *model.Exchange, l *Lane) string {
	bar := []rune(strings.Repeat(" ", r.bars))
	share := make([]float64, r.bars)
	for _, p := range l.Parts {
		from, to := float64(p.From-x.Start)*r.scale, float64(p.To-x.Start)*r.scale
		for i := max(0, int(from)); i < r.bars && float64(i) < to; i++ {
			if part := min(to, float64(i+1)) - max(from, float64(i)); part > share[i] {
				bar[i], share[i] = doing[p.Does].char, part
			}
		}
	}
	for _, p := range l.Parts {
		from, to := int(float64(p.From-x.Start)*r.scale+1), int(float64(p.To-x.Start)*r.scale)
		if name := Clean(p.On); p.On != "" && Width(name) == len(name) && len(name)+2 <= to-from {
			copy(bar[from+(to-from-len(name))/2:], []rune(name))
		}
	}
	return string(bar)
}

func laneKey(x *model.Exchange, l *Lane) Key {
	return Key{Kind: LaneRecord, ID: x.Conn, Name: fmt.Sprint(x.Number, " ", l.TID)}
}

// findLane returns the request and the thread of a lane's key. nil: it is not there any more.
func findLane(s *model.Snapshot, key Key) (*model.Exchange, *Lane) {
	x, tid := findPhase(s, key)
	if x == nil {
		return nil, nil
	}
	for _, l := range Lanes(x) {
		if strconv.Itoa(int(l.TID)) == tid {
			return x, l
		}
	}
	return x, nil
}

// openLane lists what a thread did, one thing after the other.
func openLane(in Input, x *model.Exchange, l *Lane, width int) *Detail {
	d := &Detail{Title: Line{{fmt.Sprintf("tid %d  ", l.TID), Strong}, {l.part() + "  ", Normal}, {Clean(requestText(x)), Normal}, {"  " + optDur(x.TotalNS), Dim}}}
	for _, p := range l.Parts {
		line := Line{{fmt.Sprintf("%9s  ", "+"+Dur(p.From-x.Start)), Normal}, {fmt.Sprintf("%9s  ", Dur(p.To-p.From)), Strong}, {p.text(), Normal}}
		if width >= 100 {
			line = append(Line{{in.clock().Time(p.From) + " ", Dim}}, line...)
		}
		d.add(line)
	}
	d.add(nil)
	d.fact("running", Span{optDur(l.RunningNS), Strong}, Span{" of " + optDur(x.TotalNS), Dim})
	d.wrap(laneWords, width)
	return d
}

const laneWords = "A thread is watched closely while it has a request to answer, from its first read until the answer begins (sched_switch, sched_wakeup); " +
	"of what it did before and after only the last wake-up is known. While a request is open, live, all is told of the threads of its server."
